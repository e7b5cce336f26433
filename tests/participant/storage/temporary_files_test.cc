// A node's root may be read-only: there is no place for temporary files.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <string>

#include "common/sqlite/forwarding_vfs.h"
#include "tests/participant/storage/store_fixture.h"

namespace lockstep::participant {
namespace {

// Real files, but none without a name.
class NamedFilesOnly final : public sqlite::ForwardingVfs {
 public:
  NamedFilesOnly() : ForwardingVfs(Real(), "named-only", Real()->szOsFile) {
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                    int* out_flags) {
      file->pMethods = nullptr;
      if (name == nullptr) return SQLITE_CANTOPEN;
      sqlite3_vfs* const base = Of(vfs)->base();
      return base->xOpen(base, name, file, flags, out_flags);
    };
    EXPECT_TRUE(Register().ok());
  }

 private:
  static sqlite3_vfs* Real() { return sqlite3_vfs_find("unix"); }
};

class TemporaryFilesTest : public StoreFixture {
 protected:
  TemporaryFilesTest() { options_.base_vfs = vfs_.name(); }
  ~TemporaryFilesTest() override { store_.reset(); }

  static constexpr char kSort[] =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
      "SELECT i FROM n ORDER BY hex(randomblob(500))";

  NamedFilesOnly vfs_;
};

TEST_F(TemporaryFilesTest, TheWriterSortsAndRollsBackToASavepointWithoutOne) {
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(
      Local("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "
            "INSERT INTO t SELECT i, hex(randomblob(100)) FROM n"));
  LOCKSTEP_ASSERT_OK(store_->Begin());
  LOCKSTEP_ASSERT_OK(
      store_->writer().Exec("UPDATE t SET v = v || 'x'; SAVEPOINT branch;"
                            "UPDATE t SET v = v || 'y'; ROLLBACK TO branch; RELEASE branch"));
  EXPECT_GT(Number(store_->writer(), kSort), 0);
  LOCKSTEP_ASSERT_OK(store_->Prepare(Round(1), At(1), "body"));
  LOCKSTEP_ASSERT_OK(store_->Commit());
  EXPECT_EQ(Seen("SELECT count(*) FROM t WHERE v LIKE '%x'"), 2000);
}

TEST_F(TemporaryFilesTest, AReaderSortsWithoutOne) {
  OpenWithTable();
  EXPECT_GT(Seen(kSort), 0);
}

}  // namespace
}  // namespace lockstep::participant
