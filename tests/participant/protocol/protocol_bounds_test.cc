// What lies outside of what a participant can be asked, or remembers.
#include <gtest/gtest.h>

#include "participant/protocol/protocol.h"
#include "tests/participant/protocol/rounds.h"

namespace lockstep::participant {
namespace {

class ProtocolBoundsTest : public testing::Test {
 protected:
  ProtocolBoundsTest() {
    Scan scan;
    scan.term = kTerm;
    scan.applied = R(10);
    scan.identified = true;
    protocol_.Scanned(scan);
  }

  Protocol protocol_{/*standalone=*/false};
};

TEST_F(ProtocolBoundsTest, R2_WhatNoCoordinatorCanHaveNumberedIsNoRound) {
  for (const RoundId round : {RoundId(), RoundId::FromValue(-5), RoundId::Make(0, 11)}) {
    EXPECT_EQ(protocol_.Commit(kTerm, round, Keep::kAll).refusal, Refusal::kRoundInvalid);
    EXPECT_EQ(protocol_.Rollback(kTerm, round).refusal, Refusal::kRoundInvalid);
  }
  EXPECT_EQ(protocol_.Read(kTerm, RoundId::FromValue(-5)).refusal, Refusal::kRoundInvalid);
}

// A higher one could not be told from a negative round number, and would never be taken back.
TEST_F(ProtocolBoundsTest, R1_TermsThatNoLogCanGiveAreRefusedAndNotPersisted) {
  for (const Term term : {Term{0}, RoundId::kMaxTerm + 1}) {
    const Decision decision = protocol_.Fence(term, 0, {});
    EXPECT_EQ(decision.refusal, Refusal::kRoundInvalid);
    EXPECT_FALSE(decision.persist_term.has_value());
  }
  EXPECT_EQ(protocol_.Fence(RoundId::kMaxTerm, 0, {}).persist_term, RoundId::kMaxTerm);
}

TEST_F(ProtocolBoundsTest, R8_TheLatest64RolledBackRoundsAreRemembered) {
  constexpr uint64_t kFirst = 11;
  for (uint64_t n = kFirst; n <= kFirst + 64; ++n) {
    protocol_.Voted(R(n), true);
    protocol_.TombstonePersisted(*protocol_.Rollback(kTerm, R(n)).persist_tombstone);
    protocol_.Forgotten(R(n));
  }
  protocol_.Voted(R(100), true);
  protocol_.Committed(R(100));
  for (uint64_t n = kFirst + 1; n <= kFirst + 64; ++n) {
    EXPECT_EQ(protocol_.Commit(kTerm, R(n), Keep::kAll).refusal, Refusal::kRoundUnknown) << n;
  }
  // The bound: what is older cannot be told from an applied one.
  EXPECT_EQ(protocol_.Commit(kTerm, R(kFirst), Keep::kAll).action, Action::kAnswer);
}

}  // namespace
}  // namespace lockstep::participant
