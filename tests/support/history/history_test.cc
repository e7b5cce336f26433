// The checker is shown histories with one anomaly each, and has to find and name it.
#include "tests/support/history/history.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lockstep::testing_support {
namespace {

using History = std::vector<ListTransaction>;

// Runs from `invoked` to `completed`, in a process of its own.
ListTransaction Ran(std::string name, int64_t invoked, int64_t completed,
                    std::vector<ListStep> steps, ListEnd end = ListEnd::kCommitted) {
  return {std::move(name), static_cast<int>(invoked), invoked, completed, end, std::move(steps)};
}

// All at the same time: the clock says nothing about their order.
ListTransaction AtOnce(std::string name, std::vector<ListStep> steps,
                       ListEnd end = ListEnd::kCommitted) {
  return Ran(std::move(name), 0, 100, std::move(steps), end);
}

std::vector<std::string> NamesOf(const HistoryVerdict& verdict) {
  std::vector<std::string> names;
  for (const Anomaly& anomaly : verdict.anomalies) names.push_back(anomaly.name);
  return names;
}

void ExpectOnly(const std::string& name, const History& history) {
  const HistoryVerdict verdict = CheckHistory(history);
  std::string all;
  bool found = false;
  for (const Anomaly& anomaly : verdict.anomalies) {
    absl::StrAppend(&all, anomaly.name, ": ", anomaly.text, "\n");
    found = found || anomaly.name == name;
  }
  EXPECT_TRUE(found) << all;
  EXPECT_EQ(NamesOf(verdict), std::vector<std::string>(verdict.anomalies.size(), name)) << all;
}

void ExpectGood(const History& history) {
  EXPECT_EQ(NamesOf(CheckHistory(history)), std::vector<std::string>{});
}

TEST(HistoryTest, AnEmptyHistoryIsGood) { ExpectGood({}); }

TEST(HistoryTest, ASerialHistoryIsGood) {
  ExpectGood({Ran("T1", 0, 1, {AppendTo("x", 1), AppendTo("y", 1)}),
              Ran("T2", 2, 3, {ReadOf("x", {1}), AppendTo("x", 2), ReadOf("x", {1, 2})}),
              Ran("T3", 4, 5, {ReadOf("y", {1}), ReadOf("x", {1, 2})})});
}

TEST(HistoryTest, TransactionsThatOverlapMayStandInAnyOrder) {
  ExpectGood({Ran("T1", 0, 9, {AppendTo("x", 1)}), Ran("T2", 1, 2, {ReadOf("x", {})}),
              Ran("T3", 3, 4, {ReadOf("x", {1})})});
}

TEST(HistoryTest, AnElementThatNoLaterReadLooksForIsNotLost) {
  ExpectGood({Ran("T1", 0, 1, {AppendTo("x", 1)}), Ran("T2", 0, 9, {ReadOf("x", {})})});
}

TEST(HistoryTest, AnAcknowledgedElementThatLaterReadsMissIsLost) {
  const HistoryVerdict verdict =
      CheckHistory({Ran("T1", 0, 1, {AppendTo("x", 1)}), Ran("T2", 2, 3, {ReadOf("x", {})})});
  EXPECT_EQ(NamesOf(verdict), (std::vector<std::string>{"lost", "real-time"}));
}

TEST(HistoryTest, AnElementTwiceIsADuplicate) {
  const HistoryVerdict verdict =
      CheckHistory({Ran("T1", 0, 1, {AppendTo("x", 1)}), Ran("T2", 2, 3, {ReadOf("x", {1, 1})})});
  EXPECT_EQ(NamesOf(verdict), std::vector<std::string>{"duplicate"});
}

TEST(HistoryTest, AnElementThatNobodyAppendedIsAPhantom) {
  ExpectOnly("phantom", {Ran("T1", 0, 1, {ReadOf("x", {7})})});
}

TEST(HistoryTest, AReadOfWhatFailedIsAnAbortedRead) {
  ExpectOnly("G1a", {Ran("T1", 0, 1, {AppendTo("x", 1)}, ListEnd::kFailed),
                     Ran("T2", 2, 3, {ReadOf("x", {1})})});
}

TEST(HistoryTest, AReadOfAPartOfATransactionIsAnIntermediateRead) {
  const HistoryVerdict verdict =
      CheckHistory({AtOnce("T1", {AppendTo("x", 1), AppendTo("x", 2)}),
                    AtOnce("T2", {ReadOf("x", {1})}), AtOnce("T3", {ReadOf("x", {1, 2})})});
  ASSERT_FALSE(verdict.anomalies.empty());
  EXPECT_EQ(verdict.anomalies[0].name, "G1b");
}

TEST(HistoryTest, TheElementsOfOneTransactionStandInItsOrder) {
  ExpectOnly("incompatible-order", {AtOnce("T1", {AppendTo("x", 1), AppendTo("x", 2)}),
                                    AtOnce("T2", {ReadOf("x", {2, 1})})});
}

TEST(HistoryTest, ReadsThatAreNoPrefixesOfOneListAreIncompatible) {
  ExpectOnly("incompatible-order",
             {AtOnce("T1", {AppendTo("x", 1)}), AtOnce("T2", {AppendTo("x", 2)}),
              AtOnce("T3", {ReadOf("x", {1, 2})}), AtOnce("T4", {ReadOf("x", {2, 1})})});
}

TEST(HistoryTest, AReadThatMissesItsOwnAppendIsInternal) {
  const HistoryVerdict verdict = CheckHistory({AtOnce("T1", {AppendTo("x", 1), ReadOf("x", {})})});
  ASSERT_FALSE(verdict.anomalies.empty());
  EXPECT_EQ(verdict.anomalies[0].name, "internal");
}

TEST(HistoryTest, TwoReadsOfOneTransactionThatDifferAreInternal) {
  const HistoryVerdict verdict = CheckHistory(
      {AtOnce("T1", {AppendTo("x", 1)}), AtOnce("T2", {ReadOf("x", {}), ReadOf("x", {1})})});
  ASSERT_FALSE(verdict.anomalies.empty());
  EXPECT_EQ(verdict.anomalies[0].name, "internal");
}

TEST(HistoryTest, AReadOfWhatItsTransactionAppendsLaterIsInternal) {
  ExpectOnly("internal", {AtOnce("T1", {ReadOf("x", {1}), AppendTo("x", 1)})});
}

TEST(HistoryTest, WritesThatInterleaveInTwoListsAreG0) {
  ExpectOnly("G0", {AtOnce("T1", {AppendTo("x", 1), AppendTo("y", 1)}),
                    AtOnce("T2", {AppendTo("x", 2), AppendTo("y", 2)}),
                    AtOnce("T3", {ReadOf("x", {1, 2})}), AtOnce("T4", {ReadOf("y", {2, 1})})});
}

TEST(HistoryTest, TransactionsThatReadEachOthersWritesAreG1c) {
  ExpectOnly("G1c", {AtOnce("T1", {AppendTo("x", 1), ReadOf("y", {1})}),
                     AtOnce("T2", {AppendTo("y", 1), ReadOf("x", {1})})});
}

TEST(HistoryTest, HalfATransactionSeenIsReadSkew) {
  ExpectOnly("G-single",
             {AtOnce("T1", {AppendTo("x", 1), AppendTo("y", 1)}),
              AtOnce("T2", {ReadOf("x", {1}), ReadOf("y", {})}), AtOnce("T3", {ReadOf("y", {1})})});
}

TEST(HistoryTest, HalfATransactionSeenIsReadSkewEvenIfNobodyEverSeesTheOtherHalf) {
  ExpectOnly("G-single", {AtOnce("T1", {AppendTo("x", 1), AppendTo("y", 1)}),
                          AtOnce("T2", {ReadOf("x", {1}), ReadOf("y", {})})});
}

TEST(HistoryTest, AnUpdateThatOverlooksAnotherIsReadSkew) {
  ExpectOnly("G-single",
             {AtOnce("T1", {AppendTo("x", 1)}), AtOnce("T2", {ReadOf("x", {}), AppendTo("x", 2)}),
              AtOnce("T3", {ReadOf("x", {1, 2})})});
}

TEST(HistoryTest, TwoThatOverlookEachOtherAreWriteSkew) {
  ExpectOnly("G2", {AtOnce("T1", {ReadOf("x", {}), AppendTo("y", 1)}),
                    AtOnce("T2", {ReadOf("y", {}), AppendTo("x", 1)})});
}

TEST(HistoryTest, AStaleReadContradictsTheClock) {
  ExpectOnly("real-time", {Ran("T1", 0, 1, {AppendTo("x", 1)}), Ran("T2", 2, 3, {ReadOf("x", {})}),
                           Ran("T3", 4, 5, {ReadOf("x", {1})})});
}

TEST(HistoryTest, AReadOfTheFutureContradictsTheClock) {
  ExpectOnly("real-time",
             {Ran("T1", 0, 1, {ReadOf("x", {1})}), Ran("T2", 2, 3, {AppendTo("x", 1)})});
}

TEST(HistoryTest, AnOrderAgainstTheClockIsFoundAcrossLists) {
  ExpectOnly("real-time", {Ran("T1", 0, 1, {AppendTo("x", 1)}), Ran("T2", 2, 3, {AppendTo("y", 1)}),
                           Ran("T3", 0, 9, {ReadOf("y", {1}), ReadOf("x", {})}),
                           Ran("T4", 0, 9, {ReadOf("x", {1})})});
}

TEST(HistoryTest, AnUnknownEndMayBeEither) {
  const ListTransaction unknown = Ran("T1", 0, 1, {AppendTo("x", 1)}, ListEnd::kUnknown);
  ExpectGood({unknown, Ran("T2", 2, 3, {ReadOf("x", {})})});
  ExpectGood({unknown, Ran("T2", 2, 3, {ReadOf("x", {1})})});
  // It may happen long after its client has given up.
  ExpectGood({unknown, Ran("T2", 2, 3, {ReadOf("x", {})}), Ran("T3", 4, 5, {ReadOf("x", {1})})});
}

TEST(HistoryTest, AnUnknownEndIsProvedByARead) {
  const History history = {AtOnce("T1", {AppendTo("x", 1)}, ListEnd::kUnknown),
                           AtOnce("T2", {AppendTo("x", 2)}, ListEnd::kUnknown),
                           AtOnce("T3", {ReadOf("x", {1})})};
  const HistoryVerdict verdict = CheckHistory(history);
  EXPECT_EQ(verdict.proved, 1);
  EXPECT_EQ(verdict.open, 1);
  EXPECT_TRUE(verdict.anomalies.empty());
}

TEST(HistoryTest, AnUnknownEndThatIsProvedHappenedWholly) {
  ExpectOnly("G-single", {AtOnce("T1", {AppendTo("x", 1), AppendTo("y", 1)}, ListEnd::kUnknown),
                          AtOnce("T2", {ReadOf("x", {1}), ReadOf("y", {})})});
}

TEST(HistoryTest, AnUnknownEndDidNotBeginBeforeItWasInvoked) {
  ExpectOnly("real-time", {Ran("T1", 0, 1, {ReadOf("x", {1})}),
                           Ran("T2", 2, 3, {AppendTo("x", 1)}, ListEnd::kUnknown)});
}

}  // namespace
}  // namespace lockstep::testing_support
