// The answers of request_ids in the decision log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/sqlite/connection.h"
#include "coordinator/decision_keys.h"
#include "tests/coordinator/decision_log_fixture.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const RoundId kFirst = RoundId::Make(1, 1);
const RoundId kSecond = RoundId::Make(1, 2);

class StoredAnswersTest : public SqliteDecisionLogTest {
 protected:
  static StoredAnswer AnswerOf(const DecisionLog& log, const std::string& id, absl::Time until) {
    return {.request_id = id,
            .key = RequestKeyOf(log.log_id(), id),
            .body = {1, 2},
            .retention = {until, until},
            .round = RoundId(),
            .answer = "answer of " + id};
  }
  static void Write(DecisionLog* log, RoundId round, const std::vector<std::string>& ids,
                    absl::Time until = kNow + absl::Hours(1)) {
    Decision decision = DecisionOf(round, {round.number()});
    for (const std::string& id : ids) decision.answers.push_back(AnswerOf(*log, id, until));
    ASSERT_TRUE(log->Write(BatchOf({decision})).ok());
  }
  // As a coordinator does at its start.
  static RequestIndex Recover(DecisionLog* log) {
    absl::StatusOr<RecoveredState> state = log->Recover();
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? std::move(state->requests.index) : RequestIndex();
  }
  absl::Time RecoveredExpiry() {
    const absl::StatusOr<RecoveredState> state = Start()->Recover();
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? state->requests.forgotten_expiry : absl::InfinitePast();
  }
  static std::optional<StoredAnswer> Find(DecisionLog* log, const std::string& id,
                                          const Rounds& rounds, const Retention& retention = {}) {
    absl::StatusOr<std::optional<StoredAnswer>> found = log->FindAnswer(id, rounds, retention);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : std::nullopt;
  }
};

TEST_F(StoredAnswersTest, R18_AnAnswerComesBackInALaterTermByItsId) {
  {
    auto log = Start();
    Write(log.get(), kFirst, {"a", "b"});
    Write(log.get(), kSecond, {"c"});
  }
  auto log = Start();
  const RequestIndex index = Recover(log.get());
  EXPECT_EQ(index.size(), 3u);
  for (const auto& [id, round] : {std::pair("a", kFirst), {"b", kFirst}, {"c", kSecond}}) {
    const Rounds rounds = index.Find(RequestKeyOf(log->log_id(), id));
    EXPECT_THAT(rounds, ElementsAre(round));
    const std::optional<StoredAnswer> answer = Find(log.get(), id, rounds);
    ASSERT_TRUE(answer) << id;
    EXPECT_EQ(answer->answer, "answer of " + std::string(id));
    EXPECT_EQ(answer->body, (BodyHash{1, 2}));
    EXPECT_EQ(answer->round, round);
  }
}

TEST_F(StoredAnswersTest, AnIdIsFoundByItsNameAmongThoseOfItsKey) {
  auto log = Start();
  Write(log.get(), kFirst, {"a"});
  Write(log.get(), kSecond, {"b"});
  EXPECT_FALSE(Find(log.get(), "c", {kFirst, kSecond}));
  EXPECT_EQ(Find(log.get(), "b", {kFirst, kSecond})->round, kSecond);
  EXPECT_FALSE(Find(log.get(), "a", {RoundId::Make(1, 9)}));
}

TEST_F(StoredAnswersTest, AnswersAreKeptUntilTheirTimeIsOverAndThenForgotten) {
  auto log = Start();
  Write(log.get(), kFirst, {"a", "b"}, kNow + absl::Hours(1));
  Write(log.get(), kSecond, {"c"}, kNow + absl::Hours(24));
  const uint64_t bytes = log->answer_bytes();
  EXPECT_THAT(*log->PruneAnswers(kNow + absl::Minutes(59)), IsEmpty());
  const std::vector<ForgottenAnswers> forgotten = *log->PruneAnswers(kNow + absl::Minutes(61));
  ASSERT_THAT(forgotten, SizeIs(1));
  EXPECT_EQ(forgotten[0].round, kFirst);
  EXPECT_THAT(forgotten[0].keys, UnorderedElementsAre(RequestKeyOf(log->log_id(), "a"),
                                                      RequestKeyOf(log->log_id(), "b")));
  EXPECT_LT(log->answer_bytes(), bytes);
  EXPECT_FALSE(Find(log.get(), "a", {kFirst}));
  EXPECT_TRUE(Find(log.get(), "c", {kSecond}));
  EXPECT_EQ(Recover(log.get()).size(), 1u);
}

TEST_F(StoredAnswersTest, ARetryThatWantsItLongerKeepsAnAnswerLongerAlsoAcrossARestart) {
  {
    auto log = Start();
    Write(log.get(), kFirst, {"a"}, kNow + absl::Hours(1));
    EXPECT_TRUE(Find(log.get(), "a", {kFirst}, {.keep_until = kNow + absl::Hours(5)}));
    EXPECT_TRUE(Find(log.get(), "a", {kFirst}, {.keep_until = kNow + absl::Hours(2)}));
  }
  auto log = Start();
  EXPECT_THAT(*log->PruneAnswers(kNow + absl::Hours(4)), IsEmpty());
  EXPECT_THAT(*log->PruneAnswers(kNow + absl::Hours(6)), SizeIs(1));
}

TEST_F(StoredAnswersTest, R18_DroppedAnswersLeaveTheLatestOfTheirExpireTimesToLaterRuns) {
  const absl::Time latest = kNow + absl::Hours(3);
  {
    auto log = Start();
    Recover(log.get());
    Write(log.get(), kFirst, {"a"}, latest);
    Write(log.get(), kSecond, {"b"}, kNow + absl::Hours(1));
    EXPECT_THAT(*log->PruneAnswers(latest + absl::Seconds(1)), SizeIs(2));
  }
  EXPECT_EQ(RecoveredExpiry(), latest);
  {
    auto log = Start();
    Recover(log.get());
    Write(log.get(), RoundId::Make(1, 3), {"c"}, kNow + absl::Hours(2));
    const std::vector<ForgottenAnswers> dropped = *log->PruneAnswers(latest);
    ASSERT_THAT(dropped, SizeIs(1));
    EXPECT_EQ(dropped[0].expires, kNow + absl::Hours(2));
  }
  EXPECT_EQ(RecoveredExpiry(), latest) << "an earlier one came after it";
}

TEST_F(StoredAnswersTest, R18_ARoundsAnswersLeaveTheLatestOfTheirExpireTimes) {
  auto log = Start();
  Decision decision = DecisionOf(kFirst, {1});
  for (const int hours : {1, 3, 2}) {
    const std::string id = std::to_string(hours);
    decision.answers.push_back(AnswerOf(*log, id, kNow + absl::Hours(hours)));
  }
  ASSERT_TRUE(log->Write(BatchOf({decision})).ok());
  EXPECT_THAT(*log->PruneAnswers(kNow + absl::Hours(3)), IsEmpty());
  const std::vector<ForgottenAnswers> dropped =
      *log->PruneAnswers(kNow + absl::Hours(3) + absl::Seconds(1));
  ASSERT_THAT(dropped, SizeIs(1));
  EXPECT_EQ(dropped[0].expires, kNow + absl::Hours(3));
}

TEST_F(StoredAnswersTest, R18_ARetryThatIsKeptForLongerTakesNoExpireTimeBack) {
  auto log = Start();
  Write(log.get(), kFirst, {"a"}, kNow + absl::Hours(2));
  EXPECT_TRUE(Find(log.get(), "a", {kFirst}, {.keep_until = kNow + absl::Hours(5)}));
  const std::vector<ForgottenAnswers> dropped = *log->PruneAnswers(kNow + absl::Hours(6));
  ASSERT_THAT(dropped, SizeIs(1));
  EXPECT_EQ(dropped[0].expires, kNow + absl::Hours(2));
}

TEST_F(StoredAnswersTest, R18_AnAnswerThatIsKeptLeavesNoExpireTimeBehind) {
  {
    auto log = Start();
    Recover(log.get());
    Write(log.get(), kFirst, {"a"}, kNow + absl::Hours(2));
    EXPECT_THAT(*log->PruneAnswers(kNow + absl::Hours(1)), IsEmpty());
  }
  EXPECT_EQ(RecoveredExpiry(), absl::UnixEpoch());
}

TEST_F(StoredAnswersTest, R18_ALaterExpireTimeOfARetryIsRecordedThoughTheAnswerIsKeptLongEnough) {
  const absl::Time expires = kNow + absl::Hours(20);
  {
    auto log = Start();
    Recover(log.get());
    Write(log.get(), kFirst, {"a"}, kNow + absl::Hours(2));
    EXPECT_TRUE(Find(log.get(), "a", {kFirst}, {kNow + absl::Hours(1), expires}));
  }
  auto log = Start();
  const std::vector<ForgottenAnswers> dropped =
      *log->PruneAnswers(kNow + absl::Hours(2) + absl::Seconds(1));
  ASSERT_THAT(dropped, SizeIs(1));
  EXPECT_EQ(dropped[0].expires, expires);
}

TEST_F(StoredAnswersTest, WhatTheyTakeIsTheSameAfterARestart) {
  uint64_t bytes = 0;
  {
    auto log = Start();
    Recover(log.get());
    Write(log.get(), kFirst, {"a", "b"});
    Write(log.get(), kSecond, {"c"});
    bytes = log->answer_bytes();
    EXPECT_GT(bytes, 0u);
  }
  auto log = Start();
  Recover(log.get());
  EXPECT_EQ(log->answer_bytes(), bytes);
  ASSERT_THAT(*log->PruneAnswers(absl::InfiniteFuture()), SizeIs(2));
  EXPECT_EQ(log->answer_bytes(), 0u);
}

TEST_F(StoredAnswersTest, R16_ADamagedRowIsAnErrorAndNeverNotFound) {
  for (const char* damage : {"UPDATE answer SET body = x'00' || substr(body, 2)",
                             "UPDATE answer SET keys = x'0000000000000000'"}) {
    {
      auto log = Start();
      Write(log.get(), RoundId::Make(1, 7), {"a"});
    }
    Tamper(damage);
    auto log = Start();
    const bool recovered = log->Recover().ok();
    const bool found = log->FindAnswer("a", {RoundId::Make(1, 7)}, Retention()).ok();
    EXPECT_FALSE(recovered && found) << damage;
    log.reset();
    Tamper("DELETE FROM answer; DELETE FROM decision; DELETE FROM outcome");
  }
}

}  // namespace
}  // namespace lockstep::coordinator
