#include "tests/cluster/failpoint_chains.h"

#include <gmock/gmock.h>

namespace lockstep::testing_support {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Chain kPoints = {{"a", false}, {"b", true}, {"c", false}, {"d", true}};

TEST(FailpointChainsTest, AChainIsReadBackFromItsText) {
  const Chain all = AllFailpoints();
  const std::string text = TextOf({3, {all.front(), all.back()}});
  EXPECT_EQ(text, "3:" + all.front().name + "," + all.back().name);
  const NodeChain read = ParseChain(text);
  EXPECT_EQ(TextOf(read), text);
  EXPECT_FALSE(read.chain.front().of_coordinator);
  EXPECT_TRUE(read.chain.back().of_coordinator);
}

TEST(FailpointChainsTest, WhatIsNoTextOfAChainGivesNone) {
  for (const char* text : {"", "3", "3:", "3:no_failpoint", "x:decided", "decided", "3:decided,"}) {
    EXPECT_THAT(ParseChain(text).chain, IsEmpty()) << text;
  }
}

TEST(FailpointPairsTest, EachPairComesOnceBeforeAnyComesAgain) {
  FailpointPairs pairs(kPoints, /*seed=*/1);
  for (const FailpointName& first : kPoints) {
    std::set<std::string> seconds;
    for (size_t i = 0; i < kPoints.size(); ++i) {
      const FailpointName second = pairs.Draw(first.name);
      seconds.insert(second.name);
      pairs.Met(first.name, second.name);
    }
    EXPECT_EQ(seconds.size(), kPoints.size());
  }
  EXPECT_THAT(pairs.Report(), HasSubstr("pairs tried: 16 of 16, 16 of them met"));
}

TEST(FailpointPairsTest, WhatWasTriedLeastIsNeededMost) {
  FailpointPairs pairs(kPoints, /*seed=*/1);
  for (const char* first : {"a", "b", "d"}) pairs.Draw(first);
  EXPECT_EQ(pairs.InOrderOfNeed().front().name, "c");
}

TEST(FailpointPairsTest, TheReportNamesWhatNoRecoveryHasPassed) {
  FailpointPairs pairs(kPoints, /*seed=*/1);
  pairs.Met("a", "b");
  pairs.Draw("c");
  EXPECT_THAT(pairs.Report(), AllOf(HasSubstr("pairs tried: 2 of 16, 1 of them met in a recovery"),
                                    HasSubstr("1 failpoints, and not: a c d")));
}

}  // namespace
}  // namespace lockstep::testing_support
