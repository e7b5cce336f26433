#include "participant/protocol/invariants.h"

#include <gtest/gtest.h>

#include "tests/participant/protocol/rounds.h"

namespace lockstep::participant {
namespace {

TEST(ParticipantInvariantsTest, EachBrokenInvariantIsNamed) {
  State good;
  good.phase = RoundPhase::kIdle;
  good.term = kTerm;
  good.applied = R(5);
  good.durable = R(4);
  good.tombstone = R(6);
  EXPECT_EQ(BrokenInvariant(good, good), std::nullopt);
  const auto broken = [&](auto&& change) {
    State bad = good;
    change(bad);
    return BrokenInvariant(good, bad).has_value();
  };
  EXPECT_TRUE(broken([](State& s) { s.phase = RoundPhase::kPrepared; }));
  EXPECT_TRUE(broken([](State& s) { s.round = R(7); }));
  EXPECT_TRUE(broken([](State& s) { s.phase = RoundPhase::kInDoubt, s.round = R(5); }));
  EXPECT_TRUE(broken([](State& s) { s.phase = RoundPhase::kInDoubt, s.round = R(7, kTerm + 1); }));
  EXPECT_TRUE(broken([](State& s) { s.durable = R(6); }));
  EXPECT_TRUE(broken([](State& s) { s.durable = R(3); }));
  EXPECT_TRUE(broken([](State& s) { s.term = kTerm - 1; }));
  EXPECT_TRUE(broken([](State& s) { s.tombstone = R(5); }));
  EXPECT_TRUE(broken([](State& s) { s.tombstone = R(1, kTerm + 1); }));
  EXPECT_TRUE(broken([](State& s) { s.applied = R(4); }));
  EXPECT_TRUE(broken([](State& s) { s.applied = R(7); }));
  EXPECT_TRUE(broken([](State& s) { s.has_record = true; }));
  EXPECT_TRUE(broken([](State& s) { s.phase = RoundPhase::kPrepared, s.round = R(6); }));
}

// What each state alone would allow.
TEST(ParticipantInvariantsTest, AStepThatNoParticipantMayTakeIsNamed) {
  State before;
  before.phase = RoundPhase::kIdle;
  before.term = kTerm;
  before.coordinator = 33;
  before.identified = true;
  const auto broken = [&](auto&& change) {
    State after = before;
    change(after);
    EXPECT_FALSE(after == before);
    EXPECT_EQ(BrokenInvariant(after, after), std::nullopt);
    return BrokenInvariant(before, after).value_or("nothing");
  };
  EXPECT_EQ(broken([](State& s) { s.term = kTerm - 1; }), "a term never falls (R1)");
  EXPECT_EQ(broken([](State& s) { s.coordinator = 44; }), "a term belongs to one run (R22)");
  EXPECT_EQ(broken([](State& s) { s.term = kTerm + 1, s.coordinator = 44; }), "nothing");
  EXPECT_EQ(broken([](State& s) { s.identified = false; }), "an identity stays (R22)");
  before.phase = RoundPhase::kPrepared;
  before.round = R(7);
  EXPECT_EQ(broken([](State& s) { s.round = R(8); }), "one round at a time");
}

}  // namespace
}  // namespace lockstep::participant
