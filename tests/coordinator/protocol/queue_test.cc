// Admission: who waits, who joins, who may not starve.
#include "coordinator/protocol/queue.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/coordinator/protocol/harness.h"
#include "tests/simulation/random.h"

namespace lockstep::coordinator {
namespace {

Submit Of(TransactionHandle handle, const std::vector<ParticipantIndex>& participants) {
  Submit submit;
  submit.transaction = handle;
  submit.participants.assign(participants.begin(), participants.end());
  submit.bytes = 10;
  submit.deadline = absl::Seconds(10);
  return submit;
}

class QueueTest : public testing::Test {
 protected:
  QueueTest() : queue_(3, QueueCaps{.transactions = 10, .bytes = 1000}) {
    for (ParticipantIndex p = 0; p < 3; ++p) queue_.SetReady(p, true);
    capacities_.assign(3, Capacity{true, 100, 1000});
    Join();  // nothing; but from now on nothing has to be sorted anew
  }

  std::vector<TransactionHandle> Join() {
    std::vector<Slot> slots;
    queue_.TakeJoining(capacities_, &slots);
    std::vector<TransactionHandle> handles;
    for (const Slot slot : slots) {
      handles.push_back(queue_.at(slot).handle);
      joined_.push_back(slot);
    }
    return handles;
  }

  AdmissionQueue queue_;
  std::vector<Capacity> capacities_;
  std::vector<Slot> joined_;
};

using Handles = std::vector<TransactionHandle>;

TEST_F(QueueTest, TheOldestJoinFirst) {
  queue_.Add(Of(1, {0, 1}));
  queue_.Add(Of(2, {2}));
  queue_.Add(Of(3, {0}));
  EXPECT_EQ(Join(), (Handles{1, 2, 3}));
  EXPECT_EQ(queue_.waiting(), 0u);
}

TEST_F(QueueTest, OneThatCannotStartReservesItsParticipants) {
  capacities_[0].free = false;
  queue_.Add(Of(1, {0, 1}));
  queue_.Add(Of(2, {1}));
  queue_.Add(Of(3, {2}));
  EXPECT_EQ(Join(), (Handles{3}));
  capacities_[0].free = true;
  EXPECT_EQ(Join(), (Handles{1, 2}));
}

TEST_F(QueueTest, AReservationHoldsForThoseBehindItToo) {
  capacities_[0].free = false;
  queue_.Add(Of(1, {0, 1}));
  queue_.Add(Of(2, {1, 2}));
  queue_.Add(Of(3, {2}));
  EXPECT_EQ(Join(), (Handles{}));
}

TEST_F(QueueTest, WhatAnUnreadyParticipantNeedsHoldsUpNobody) {
  queue_.SetReady(0, false);
  capacities_[0].free = false;
  queue_.Add(Of(1, {0, 1}));
  queue_.Add(Of(2, {1}));
  EXPECT_EQ(Join(), (Handles{2}));
  queue_.Add(Of(3, {1}));
  queue_.SetReady(0, true);
  capacities_[0].free = true;
  EXPECT_EQ(Join(), (Handles{1, 3}));
}

TEST_F(QueueTest, AParticipantTakesNoMoreThanItsCapacityButAlwaysOne) {
  capacities_[0] = {true, 2, 1000};
  capacities_[1] = {true, 100, 5};
  for (TransactionHandle handle = 1; handle <= 3; ++handle) queue_.Add(Of(handle, {0}));
  for (TransactionHandle handle = 11; handle <= 12; ++handle) queue_.Add(Of(handle, {1}));
  EXPECT_EQ(Join(), (Handles{1, 2, 11}));
  EXPECT_EQ(Join(), (Handles{3, 12}));
}

TEST_F(QueueTest, AFullParticipantIsReservedForTheNextInItsLine) {
  capacities_[0] = {true, 1, 1000};
  queue_.Add(Of(1, {0}));
  queue_.Add(Of(2, {0, 1}));
  queue_.Add(Of(3, {1}));
  EXPECT_EQ(Join(), (Handles{1}));
  EXPECT_EQ(Join(), (Handles{2, 3}));
}

TEST_F(QueueTest, ReturnedOnesLeadInTheirOldOrder) {
  queue_.Add(Of(1, {0}));
  queue_.Add(Of(2, {0, 1}));
  Join();
  queue_.Add(Of(3, {0}));
  queue_.Add(Of(4, {1}));
  queue_.Return(joined_);
  EXPECT_TRUE(queue_.at(joined_[0]).was_sent);
  EXPECT_EQ(Join(), (Handles{1, 2, 3, 4}));
}

TEST_F(QueueTest, OneThatOvertookAnUnreadyOneGoesBackBehindItWhenThatIsReady) {
  queue_.SetReady(1, false);
  queue_.Add(Of(1, {0, 1}));
  queue_.Add(Of(2, {0}));
  EXPECT_EQ(Join(), (Handles{2}));
  queue_.SetReady(1, true);
  capacities_[0].free = false;
  EXPECT_EQ(Join(), (Handles{}));
  queue_.Add(Of(3, {0}));
  queue_.Return(joined_);
  capacities_[0].free = true;
  EXPECT_EQ(Join(), (Handles{1, 2, 3}));
}

TEST_F(QueueTest, ReturnedOnesGoToTheirAgeBehindOlderOnes) {
  queue_.Add(Of(1, {0}));
  Join();
  queue_.Add(Of(2, {0}));
  std::vector<Slot> first = joined_;
  joined_.clear();
  Join();
  queue_.Return(first);
  queue_.Return(joined_);
  EXPECT_EQ(Join(), (Handles{1, 2}));
}

TEST_F(QueueTest, ItIsBoundedByCountAndBytes) {
  EXPECT_FALSE(queue_.HasRoomFor(1001));
  for (TransactionHandle handle = 1; handle <= 10; ++handle) {
    EXPECT_TRUE(queue_.HasRoomFor(10));
    queue_.Add(Of(handle, {0}));
  }
  EXPECT_FALSE(queue_.HasRoomFor(10));
  Join();
  EXPECT_TRUE(queue_.HasRoomFor(1000));
}

TEST_F(QueueTest, ExpiredOnesAreFoundAndLeaveTheirLines) {
  Submit brief = Of(1, {0});
  brief.deadline = absl::Seconds(1);
  const Slot slot = queue_.Add(brief);
  queue_.Add(Of(2, {0}));
  std::vector<Slot> expired;
  queue_.CollectExpired(absl::Milliseconds(999), &expired);
  EXPECT_TRUE(expired.empty());
  queue_.CollectExpired(absl::Seconds(1), &expired);
  EXPECT_EQ(expired, (std::vector<Slot>{slot}));
  queue_.StopWaiting(slot);
  queue_.Release(slot);
  EXPECT_EQ(Join(), (Handles{2}));
}

TEST_F(QueueTest, ThoseThatLeftDoNotPileUpInTheLineOfABusyParticipant) {
  capacities_[0].free = false;
  for (TransactionHandle handle = 1; handle <= 5000; ++handle) {
    const Slot slot = queue_.Add(Of(handle, {0}));
    queue_.StopWaiting(slot);
    queue_.Release(slot);
  }
  queue_.Add(Of(6000, {0}));
  capacities_[0].free = true;
  EXPECT_EQ(Join(), (Handles{6000}));
}

TEST_F(QueueTest, ThoseThatStayKeepTheirOrderHoweverManyLeaveBetweenThem) {
  capacities_[0] = {false, 1000, 10'000};
  std::vector<Slot> slots;
  Handles left;
  for (TransactionHandle handle = 1; handle <= 300; ++handle) {
    slots.push_back(queue_.Add(Of(handle, {0})));
  }
  for (TransactionHandle handle = 1; handle <= 300; ++handle) {
    if (handle % 3 == 0) {
      left.push_back(handle);
      continue;
    }
    queue_.StopWaiting(slots[handle - 1]);
    queue_.Release(slots[handle - 1]);
  }
  EXPECT_EQ(queue_.waiting(), left.size());
  capacities_[0].free = true;
  EXPECT_EQ(Join(), left);
}

// The plain way: scan the whole queue, oldest first.
std::vector<TransactionHandle> ScanAll(const std::vector<Submit>& waiting,
                                       const std::vector<Capacity>& capacities,
                                       const std::vector<bool>& ready) {
  std::vector<TransactionHandle> joined;
  std::set<ParticipantIndex> reserved;
  std::vector<uint32_t> taken(capacities.size(), 0);
  for (const Submit& submit : waiting) {
    bool parked = false;
    bool joins = true;
    for (const ParticipantIndex p : submit.participants) {
      parked = parked || !ready[p];
      joins = joins && capacities[p].free && !reserved.contains(p) &&
              taken[p] < capacities[p].transactions;
    }
    if (parked) continue;
    for (const ParticipantIndex p : submit.participants) {
      if (joins) {
        ++taken[p];
      } else {
        reserved.insert(p);
      }
    }
    if (joins) joined.push_back(submit.transaction);
  }
  return joined;
}

TEST(QueueModelTest, JoinsExactlyWhatAScanOfTheWholeQueueWould) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simulation::SeededRandom random(seed);
    constexpr ParticipantIndex kCount = 5;
    AdmissionQueue queue(kCount, QueueCaps{});
    std::vector<bool> ready(kCount, false);
    std::vector<Submit> waiting;
    for (int step = 0; step < 60; ++step) {
      for (uint64_t i = random.Below(6); i > 0; --i) {
        Submit submit = Of(random.Next(), {});
        for (ParticipantIndex p = 0; p < kCount; ++p) {
          if (random.Chance(0.4)) submit.participants.push_back(p);
        }
        if (submit.participants.empty()) submit.participants.push_back(0);
        queue.Add(submit);
        waiting.push_back(submit);
      }
      std::vector<Capacity> capacities(kCount);
      for (ParticipantIndex p = 0; p < kCount; ++p) {
        if (random.Chance(0.2)) ready[p] = !ready[p];
        queue.SetReady(p, ready[p]);
        capacities[p].free = ready[p] && random.Chance(0.6);
        capacities[p].transactions = 1 + static_cast<uint32_t>(random.Below(4));
        capacities[p].bytes = 1000;
      }
      const std::vector<TransactionHandle> expected = ScanAll(waiting, capacities, ready);
      std::vector<Slot> slots;
      queue.TakeJoining(capacities, &slots);
      std::vector<TransactionHandle> joined;
      std::vector<Slot> returned;
      for (const Slot slot : slots) {
        joined.push_back(queue.at(slot).handle);
        if (random.Chance(0.3)) {
          returned.push_back(slot);
          continue;
        }
        const TransactionHandle gone = queue.at(slot).handle;
        std::erase_if(waiting, [gone](const Submit& it) { return it.transaction == gone; });
        queue.Release(slot);
      }
      ASSERT_EQ(joined, expected);
      queue.Return(returned);
      ASSERT_EQ(queue.waiting(), waiting.size());
    }
  }
}

TEST(AdmissionTest, AFullQueueRefusesBeforeAnythingIsStarted) {
  Config config = MakeConfig({1});
  config.queue_caps.transactions = 1;
  Harness harness(config);
  harness.StartReady();
  harness.Submits(1, {0});
  harness.Submits(2, {0});
  harness.Submits(3, {0});
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kNotStarted);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kQueueFull);
  EXPECT_EQ(harness.protocol().queue_length(), 1u);
}

TEST(AdmissionTest, WhatWouldNotFitIntoAnEmptyQueueIsTooLargeForGood) {
  Config config = MakeConfig({1});
  config.queue_caps.bytes = 100;
  Harness harness(config);
  harness.StartReady();
  Submit large = harness.MakeSubmit(1, {0});
  large.bytes = 101;
  harness.Step(large);
  EXPECT_EQ(harness.First<Complete>().ending, Ending::kNotStarted);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kTooLarge);
  harness.Submits(2, {0});
  EXPECT_EQ(harness.Count<SendPrepare>(), 1u) << "just as many bytes are not too large";
}

TEST(AdmissionTest, ARoundIsCappedByTheMeasuredExecutionTime) {
  Config config = MakeConfig({1});
  config.round_caps.execution_time = absl::Milliseconds(50);
  Harness harness(config);
  harness.StartReady();
  harness.Submits(1, {0});
  const RoundId round = RoundId::Make(1, 1);
  for (TransactionHandle handle = 2; handle <= 10; ++handle) harness.Submits(handle, {0});
  harness.Step(PrepareAnswered{0, round, harness.reports[0], {kNo}, absl::Milliseconds(10)});
  EXPECT_EQ(harness.First<SendPrepare>().branches.size(), 5u);
}

TEST(AdmissionTest, WaitingTransactionsTimeOutByName) {
  Harness harness;
  harness.StartReady();
  harness.Submits(1, {0});
  Submit waiting = harness.MakeSubmit(2, {0});
  waiting.deadline = harness.monotonic + absl::Seconds(1);
  harness.Step(waiting);
  harness.monotonic += absl::Seconds(1);
  harness.Step(Tick{});
  EXPECT_EQ(harness.First<Complete>().transaction, 2u);
  EXPECT_EQ(harness.First<Complete>().reason, EndingReason::kTimeout);
}

}  // namespace
}  // namespace lockstep::coordinator
