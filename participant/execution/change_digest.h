// A fingerprint of what a branch changed.
#ifndef LOCKSTEP_PARTICIPANT_EXECUTION_CHANGE_DIGEST_H_
#define LOCKSTEP_PARTICIPANT_EXECUTION_CHANGE_DIGEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/sqlite/hooks.h"

struct XXH3_state_s;

namespace lockstep::participant {

// XXH3-64 over every row change, in order: operation, table, rowids, and the old and new values
// with their types. Replicas and re-executions that made the same changes have the same digest. The
// bytes that are hashed are part of the protocol, as replicas compare them.
//
// Also watches for the largest rowid: where a table has it, SQLite chooses rowids at random, which
// no two replicas would do alike.
//
// Thread: the connection's.
class ChangeDigest final : public sqlite::RowChangeHook {
 public:
  ChangeDigest();
  ~ChangeDigest() override;
  ChangeDigest(const ChangeDigest&) = delete;
  ChangeDigest& operator=(const ChangeDigest&) = delete;

  // Changes count from Start to Stop; others are not of a branch.
  void Start();
  void Stop() { counting_ = false; }

  // Add what the hook does not see. Bytes of unlike lengths do not run together.
  void AddText(std::string_view text);
  void AddValue(const sqlite::ValueView& value);
  uint64_t Finish();

  bool used_largest_rowid() const { return used_largest_rowid_; }
  // SQLite could not show a row: the digest is void.
  bool failed() const { return failed_; }

  void OnRowChange(const sqlite::RowChange& change) override;

 private:
  struct StateDeleter {
    void operator()(XXH3_state_s* state) const;
  };

  void AddRow(const sqlite::RowChange& change, bool old_row);
  void NoteLargestRowid(const sqlite::RowChange& change);
  void AddBytes(std::string_view bytes);
  template <typename T>
  void AddNumber(T number);
  void Flush();

  // Small pieces are gathered here: hashing them one by one costs more than the copy.
  std::string pending_;
  std::unique_ptr<XXH3_state_s, StateDeleter> state_;
  bool streaming_ = false;  // state_ has taken some of it
  bool counting_ = false;
  bool used_largest_rowid_ = false;
  bool failed_ = false;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EXECUTION_CHANGE_DIGEST_H_
