#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/schema.h"
#include "tests/common/config/parse.h"

namespace lockstep::config {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

struct ListProgram {
  std::vector<ListEntry> cluster;
  Schema schema{"x", "y"};
  ListProgram() {
    schema.List("cluster", &cluster,
                {{"node_id", "its name"},
                 {"database", "what it has"},
                 {"role", "its role", true, ListField::Kind::kText, {"MASTER", "BACKUP"}},
                 {"address", "where it is", true, ListField::Kind::kAddress},
                 {"note", "any text", false}},
                "the participants");
  }
};

std::vector<ListEntry> Entries(const std::string& compact) {
  ListProgram program;
  const absl::StatusOr<Parsed> parsed = ParseWith(program.schema, {"--cluster=" + compact});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return program.cluster;
}

std::string ListRefusal(const std::string& compact) {
  ListProgram program;
  const absl::StatusOr<Parsed> parsed = ParseWith(program.schema, {"--cluster=" + compact});
  EXPECT_FALSE(parsed.ok());
  EXPECT_THAT(program.cluster, IsEmpty());
  return std::string(parsed.status().message());
}

TEST(ListTypeTest, TheCompactFormHasOneMapPerSemicolon) {
  const ListEntry bank = {{"node_id", "bank-1"},
                          {"database", "bank"},
                          {"role", "MASTER"},
                          {"address", "127.0.0.1:7401"}};
  const ListEntry shop = {
      {"node_id", "shop-1"}, {"database", "shop"}, {"role", "BACKUP"}, {"address", "[::1]:7402"}};
  EXPECT_EQ(Entries("node_id=bank-1,database=bank,role=MASTER,address=127.0.0.1:7401;"
                    "address=[::1]:7402,node_id=shop-1,database=shop,role=BACKUP"),
            (std::vector<ListEntry>{bank, shop}));
}

TEST(ListTypeTest, SpacesAndALastSemicolonDoNotMatter) {
  EXPECT_THAT(Entries(" node_id = a , database=b,role=MASTER, address=a:1 ;\n"), SizeIs(1));
  EXPECT_EQ(Entries(" node_id = a , database=b,role=MASTER, address=a:1 ;\n")[0].at("node_id"),
            "a");
  EXPECT_THAT(Entries(""), IsEmpty());
}

TEST(ListTypeTest, OptionalKeysMayBeLeftOut) {
  EXPECT_EQ(Entries("node_id=a,database=b,role=MASTER,address=a:1").at(0).count("note"), 0u);
  EXPECT_EQ(Entries("node_id=a,database=b,role=MASTER,address=a:1,note=x=y").at(0).at("note"),
            "x=y");
}

TEST(ListTypeTest, EachMapIsCheckedKeyByKey) {
  EXPECT_EQ(ListRefusal("node_id"), "--cluster: 'node_id' is not key=value, in 'node_id'");
  EXPECT_EQ(ListRefusal("node_id=a,datbase=b"),
            "--cluster: unknown key 'datbase'; known are node_id, database, role, address, note");
  EXPECT_EQ(ListRefusal("node_id=a,node_id=b"), "--cluster: node_id is given twice in one entry");
  EXPECT_EQ(ListRefusal("node_id=a,database=b,role=MASTER"),
            "--cluster: address is missing in an entry");
  EXPECT_EQ(ListRefusal("node_id="), "--cluster: node_id is empty");
  EXPECT_EQ(ListRefusal("role=master"), "--cluster: role: 'master' is not one of MASTER, BACKUP");
  EXPECT_THAT(ListRefusal("address=nowhere"),
              StartsWith("--cluster: address: 'nowhere' is not an address"));
}

TEST(ListTypeTest, TheCompactFormMayStandInAFileToo) {
  const SettingsFile file("cluster: node_id=a,database=b,role=MASTER,address=a:1\n");
  ListProgram program;
  ASSERT_TRUE(ParseWith(program.schema, {"--config", file.path()}).ok());
  EXPECT_THAT(program.cluster, SizeIs(1));
}

TEST(ListTypeTest, AnEmptyListInAFileIsAList) {
  const SettingsFile file("cluster: []\n");
  ListProgram program;
  ASSERT_TRUE(ParseWith(program.schema, {"--config", file.path()}).ok());
  EXPECT_THAT(program.cluster, IsEmpty());
}

}  // namespace
}  // namespace lockstep::config
