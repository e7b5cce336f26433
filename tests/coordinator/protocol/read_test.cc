// Where a read goes, and what it has to wait for (rule R21).
#include <gtest/gtest.h>

#include "tests/coordinator/protocol/harness.h"

namespace lockstep::coordinator {
namespace {

TEST(ReadTest, AReadGoesToTheMasterWithTheLastRoundDecidedThereR21) {
  Harness harness(MakeConfig({2, 1}));
  harness.Start();
  EXPECT_FALSE(harness.protocol().RouteRead(0).has_value());
  harness.FenceAnswers(1);
  EXPECT_EQ(harness.protocol().RouteRead(0)->participant, 1u);
  harness.FenceAnswers(0);
  EXPECT_EQ(harness.protocol().RouteRead(0)->participant, 0u);
  harness.Submits(1, {0, 1});
  harness.Votes(0, Round(1), {kYes});
  harness.Votes(1, Round(1), {kYes});
  EXPECT_EQ(harness.protocol().RouteRead(0)->least_round, RoundId());
  harness.Step(DecisionDurable{Round(1)});
  EXPECT_EQ(harness.protocol().RouteRead(0)->least_round, Round(1));
  EXPECT_FALSE(harness.protocol().RouteRead(1).has_value());
  EXPECT_EQ(harness.protocol().RouteReadTo(1)->least_round, Round(1));
}

TEST(ReadTest, WithoutTheMasterTheFirstReadyReplicaIsReadR21) {
  Harness harness(MakeConfig({3}));
  harness.Start();
  harness.FenceAnswers(1);
  harness.FenceAnswers(2);
  EXPECT_EQ(harness.protocol().RouteRead(0)->participant, 1u);
}

TEST(ReadTest, AfterARestartReadsKnowWhatWasDecidedBeforeR21) {
  StartState start = MakeStart(3);
  start.participants = {{Round(4), Round(5)}};
  Harness harness(MakeConfig({1}), start);
  harness.reports[0].applied = Round(5);
  harness.reports[0].durable = Round(5);
  harness.StartReady();
  EXPECT_EQ(harness.protocol().RouteRead(0)->least_round, Round(5));
}

}  // namespace
}  // namespace lockstep::coordinator
