#include "tests/cluster/list_archive.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"

namespace lockstep::testing_support {
namespace {

using ::testing::HasSubstr;

TEST(ListArchiveTest, AListThatIsAsItWasIsRight) {
  ListArchive archive(/*most=*/10, /*seed=*/1);
  archive.Keep("bank/1", {4, 2, 7});
  archive.Keep("bank/2", {});
  EXPECT_EQ(archive.Compare("bank/1", {4, 2, 7}), "");
  EXPECT_EQ(archive.Compare("bank/2", {}), "");
}

TEST(ListArchiveTest, WhatIsLostOrNewOrElsewhereIsFound) {
  ListArchive archive(/*most=*/10, /*seed=*/1);
  archive.Keep("bank/1", {4, 2, 7});
  EXPECT_THAT(archive.Compare("bank/1", {4, 2}), HasSubstr("it was 7, and is at its end"));
  EXPECT_THAT(archive.Compare("bank/1", {2, 7}), HasSubstr("from element 0 on it was 4, and is 2"));
  EXPECT_THAT(archive.Compare("bank/1", {4, 7, 2}), HasSubstr("from element 1 on"));
  EXPECT_THAT(archive.Compare("bank/1", {4, 2, 7, 9}), HasSubstr("was at its end, and is 9"));
}

TEST(ListArchiveTest, ItHoldsNoMoreThanItMayAndOldListsAmongThem) {
  ListArchive archive(/*most=*/10, /*seed=*/1);
  for (int64_t i = 0; i < 20; ++i) archive.Keep(absl::StrCat(i), {i});
  EXPECT_EQ(archive.lists().size(), 10u);
  int old = 0;
  for (const auto& [list, elements] : archive.lists()) old += elements[0] < 10 ? 1 : 0;
  EXPECT_GT(old, 0);
  EXPECT_LT(old, 10);
}

}  // namespace
}  // namespace lockstep::testing_support
