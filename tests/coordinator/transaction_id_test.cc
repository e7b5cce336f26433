#include "coordinator/transaction_id.h"

#include <gtest/gtest.h>

namespace lockstep::coordinator {
namespace {

TEST(TransactionIdTest, TextAndBack) {
  EXPECT_EQ(ToString({3, 1842}), "3-1842");
  EXPECT_EQ(ParseTransactionId("3-1842"), (TransactionId{3, 1842}));
  EXPECT_EQ(ParseTransactionId("1048575-8796093022207"),
            (TransactionId{RoundId::kMaxTerm, RoundId::kMaxNumber}));
}

TEST(TransactionIdTest, ATransactionHasOneNameOnly) {
  for (const char* text :
       {"", "-", "3", "3-", "-3", "0-1", "1-0", "03-1", "3-01", "3-1 ", " 3-1", "+3-1", "3--1",
        "3-1-1", "1048576-1", "1-8796093022208", "x-1", "1-x", "99999999999999999999-1"}) {
    EXPECT_EQ(ParseTransactionId(text), std::nullopt) << text;
  }
}

TEST(TransactionIdTest, IdsGrowWithTermThenSequence) {
  EXPECT_LT((TransactionId{1, 9}), (TransactionId{2, 1}));
  EXPECT_LT((TransactionId{2, 1}), (TransactionId{2, 2}));
}

}  // namespace
}  // namespace lockstep::coordinator
