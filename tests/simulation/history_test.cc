// The checkers find what is wrong in histories made by hand: else they could not be trusted when
// they find nothing.
#include "tests/simulation/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/random.h"

namespace lockstep::simulation {
namespace {

using testing::HasSubstr;
using testing::Optional;

absl::Duration At(int64_t ms) { return absl::Milliseconds(ms); }

// The nth transaction in these databases that does this kind of work; of registers, at index 0 in
// each of them.
TransactionHandle Nth(Work::Kind kind, int nth, uint64_t databases = 1) {
  for (uint64_t number = 1;; ++number) {
    const TransactionHandle transaction = number | databases << kDatabasesShift;
    bool fits = true;
    for (DatabaseIndex database = 0; databases >> database != 0; ++database) {
      const Work work = WorkOf(transaction, database, 0);
      fits = fits && work.kind == kind && work.register_index == 0;
    }
    if (fits && --nth < 0) return transaction;
  }
}

Rows Listing(const std::vector<TransactionHandle>& items) {
  Rows rows;
  for (const TransactionHandle item : items) rows.list.Append(item);
  return rows;
}

Rows Holding(TransactionHandle value) {
  Rows rows;
  rows.registers[0] = value;
  return rows;
}

class SimulatedHistoryTest : public testing::Test {
 protected:
  // Began and was answered.
  TransactionHandle Ran(Work::Kind kind, int nth, int64_t from, int64_t to, bool committed = true,
                        uint64_t databases = 1) {
    const TransactionHandle transaction = Nth(kind, nth, databases);
    history_.Invoked(transaction, At(from));
    history_.Completed(transaction, committed, At(to));
    return transaction;
  }
  TransactionHandle Appended(int nth, int64_t from, int64_t to, bool committed = true,
                             uint64_t databases = 1) {
    return Ran(Work::Kind::kAppend, nth, from, to, committed, databases);
  }
  TransactionHandle Wrote(int nth, int64_t from, int64_t to, bool committed = true) {
    return Ran(Work::Kind::kRegister, nth, from, to, committed);
  }
  void Saw(int64_t from, int64_t to, const Rows& rows) {
    history_.HasRead({0, At(from), At(to), rows});
  }

  History history_;
};

TEST_F(SimulatedHistoryTest, CoinsThatAreMovedAreNoViolation) {
  std::vector<Rows> finals(2);
  finals[0].coins = {10, 60};
  finals[1].coins = {110, 60};
  EXPECT_EQ(History::CheckBank(finals), std::nullopt);
}

TEST_F(SimulatedHistoryTest, CoinsThatWereMadeOrLostAreFound) {
  std::vector<Rows> finals(2);
  finals[1].coins[0] += 5;
  EXPECT_THAT(History::CheckBank(finals), Optional(HasSubstr("there are 245 coins")));
  finals[0].coins[1] -= 10;
  EXPECT_THAT(History::CheckBank(finals), Optional(HasSubstr("there are 235 coins")));
}

TEST_F(SimulatedHistoryTest, AnOverdrawnAccountIsFound) {
  std::vector<Rows> finals(1);
  finals[0].coins = {-1, 121};
  EXPECT_THAT(History::CheckBank(finals), Optional(HasSubstr("overdrawn")));
}

TEST_F(SimulatedHistoryTest, ListsInOrderWithReadsThatFitAreNoViolation) {
  const TransactionHandle a = Appended(0, 1, 5);
  const TransactionHandle b = Appended(1, 3, 8);  // overlaps
  const TransactionHandle open = Nth(Work::Kind::kAppend, 2);
  history_.Invoked(open, At(4));
  Appended(3, 6, 7, /*committed=*/false);
  Saw(6, 7, Listing({b, a}));
  Saw(9, 10, Listing({b, a, open}));
  EXPECT_EQ(history_.CheckLists({Listing({b, a, open})}), std::nullopt);
}

TEST_F(SimulatedHistoryTest, AnAppendThatWasLostIsFound) {
  const TransactionHandle a = Appended(0, 1, 2);
  Appended(1, 3, 4);
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("has lost")));
}

TEST_F(SimulatedHistoryTest, AnAppendThatWasMadeTwiceIsFound) {
  const TransactionHandle a = Appended(0, 1, 2);
  EXPECT_THAT(history_.CheckLists({Listing({a, a})}), Optional(HasSubstr("twice")));
}

TEST_F(SimulatedHistoryTest, AnAppendThatWasToldAbortedIsFound) {
  const TransactionHandle a = Appended(0, 1, 2, /*committed=*/false);
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("told ABORTED")));
}

TEST_F(SimulatedHistoryTest, AnAppendThatNobodyMadeIsFound) {
  const TransactionHandle write = Wrote(0, 1, 2);
  EXPECT_THAT(history_.CheckLists({Listing({write})}), Optional(HasSubstr("nobody appended")));
}

TEST_F(SimulatedHistoryTest, AnOrderAgainstRealTimeIsFound) {
  const TransactionHandle a = Appended(0, 1, 2);
  const TransactionHandle b = Appended(1, 3, 4);
  EXPECT_THAT(history_.CheckLists({Listing({b, a})}),
              Optional(HasSubstr("answered before it began")));
}

TEST_F(SimulatedHistoryTest, TwoDatabasesWithDifferentOrdersAreFound) {
  const TransactionHandle a = Appended(0, 1, 9, /*committed=*/true, /*databases=*/3);
  const TransactionHandle b = Appended(1, 1, 9, /*committed=*/true, /*databases=*/3);
  EXPECT_EQ(history_.CheckLists({Listing({a, b}), Listing({a, b})}), std::nullopt);
  EXPECT_THAT(history_.CheckLists({Listing({a, b}), Listing({b, a})}),
              Optional(HasSubstr("different orders")));
}

TEST_F(SimulatedHistoryTest, ATransactionThatIsInOneOfItsDatabasesOnlyIsFound) {
  const TransactionHandle a = Appended(0, 1, 9, /*committed=*/true, /*databases=*/3);
  EXPECT_THAT(history_.CheckLists({Listing({a}), Listing({})}), Optional(HasSubstr("has lost")));
}

TEST_F(SimulatedHistoryTest, AReadOfWhatWasTakenBackIsFound) {
  const TransactionHandle a = Appended(0, 1, 2);
  const TransactionHandle open = Nth(Work::Kind::kAppend, 1);
  history_.Invoked(open, At(1));
  Saw(3, 4, Listing({a, open}));
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("no beginning")));
}

TEST_F(SimulatedHistoryTest, AReadThatMissesWhatWasAnsweredIsFound) {
  const TransactionHandle a = Appended(0, 1, 2);
  Saw(3, 4, Listing({}));
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("misses")));
}

TEST_F(SimulatedHistoryTest, AReadOfWhatBeganLaterIsFound) {
  const TransactionHandle a = Appended(0, 5, 6);
  Saw(3, 4, Listing({a}));
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("began later")));
}

TEST_F(SimulatedHistoryTest, AReadThatMissesWhatAnEarlierOneHasShownIsFound) {
  const TransactionHandle a = Appended(0, 1, 20);
  Saw(3, 4, Listing({a}));
  Saw(4, 6, Listing({}));
  EXPECT_EQ(history_.CheckLists({Listing({a})}), std::nullopt) << "at the same time";
  Saw(5, 6, Listing({}));
  EXPECT_THAT(history_.CheckLists({Listing({a})}), Optional(HasSubstr("an earlier one has shown")));
}

TEST_F(SimulatedHistoryTest, RegistersWithWritesAtTheSameTimeAreNoViolation) {
  const TransactionHandle a = Wrote(0, 1, 5);
  const TransactionHandle b = Wrote(1, 2, 6);
  Saw(1, 3, Holding(0));
  Saw(4, 5, Holding(b));
  Saw(7, 8, Holding(a));
  EXPECT_EQ(history_.CheckRegisters({Holding(a)}), std::nullopt);
}

TEST_F(SimulatedHistoryTest, AStaleReadOfARegisterIsFound) {
  const TransactionHandle a = Wrote(0, 1, 2);
  const TransactionHandle b = Wrote(1, 3, 4);
  Saw(5, 6, Holding(a));
  EXPECT_THAT(history_.CheckRegisters({Holding(b)}), Optional(HasSubstr("and behind it")));
}

TEST_F(SimulatedHistoryTest, AReadOfARegisterThatGoesBackBehindAnEarlierOneIsFound) {
  const TransactionHandle a = Wrote(0, 1, 20);
  Saw(3, 5, Holding(a));
  Saw(4, 6, Holding(0));
  EXPECT_EQ(history_.CheckRegisters({Holding(a)}), std::nullopt) << "at the same time";
  Saw(6, 7, Holding(0));
  EXPECT_THAT(history_.CheckRegisters({Holding(a)}), Optional(HasSubstr("and behind it")));
}

TEST_F(SimulatedHistoryTest, AWriteOfARegisterWithoutAnAnswerMayStandAnywhereBehindItsBeginning) {
  const TransactionHandle a = Wrote(0, 1, 2);
  const TransactionHandle open = Nth(Work::Kind::kRegister, 1);
  history_.Invoked(open, At(1));
  Saw(3, 4, Holding(a));
  Saw(5, 6, Holding(open));
  EXPECT_EQ(history_.CheckRegisters({Holding(open)}), std::nullopt);
  Saw(7, 8, Holding(a));
  EXPECT_THAT(history_.CheckRegisters({Holding(open)}), Optional(HasSubstr("and behind it")));
}

TEST_F(SimulatedHistoryTest, TwoReadersThatSeeTwoWritesInDifferentOrdersAreFound) {
  const TransactionHandle a = Wrote(0, 1, 20);
  const TransactionHandle b = Wrote(1, 1, 20);
  Saw(2, 3, Holding(a));
  Saw(4, 5, Holding(b));
  EXPECT_EQ(history_.CheckRegisters({Holding(b)}), std::nullopt);
  Saw(6, 7, Holding(a));
  EXPECT_THAT(history_.CheckRegisters({Holding(b)}), Optional(HasSubstr("and behind it")));
}

TEST_F(SimulatedHistoryTest, ALostWriteToARegisterIsFound) {
  Wrote(0, 1, 2);
  EXPECT_THAT(history_.CheckRegisters({Holding(0)}), Optional(HasSubstr("and behind it")));
}

TEST_F(SimulatedHistoryTest, ARegisterWithAnAbortedWriteIsFound) {
  const TransactionHandle a = Wrote(0, 1, 2, /*committed=*/false);
  EXPECT_THAT(history_.CheckRegisters({Holding(a)}), Optional(HasSubstr("told ABORTED")));
}

TEST_F(SimulatedHistoryTest, ARegisterWithAWriteOfTheFutureIsFound) {
  const TransactionHandle a = Wrote(0, 5, 6);
  Saw(1, 2, Holding(a));
  EXPECT_THAT(history_.CheckRegisters({Holding(a)}), Optional(HasSubstr("began later")));
}

TEST_F(SimulatedHistoryTest, ARegisterWithWhatNobodyWroteIsFound) {
  EXPECT_THAT(history_.CheckRegisters({Holding(Nth(Work::Kind::kRegister, 0))}),
              Optional(HasSubstr("nobody wrote")));
}

TEST_F(SimulatedHistoryTest, TheFirstAnswerOfARequestCounts) {
  const TransactionHandle a = Wrote(0, 1, 2);
  history_.Completed(a, true, At(9));
  Saw(3, 4, Holding(0));
  EXPECT_THAT(history_.CheckRegisters({Holding(a)}), Optional(HasSubstr("and behind it")));
}

}  // namespace
}  // namespace lockstep::simulation
