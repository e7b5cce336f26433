#include "coordinator/protocol/request_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace lockstep::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Verdict = RequestTable::Verdict;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const absl::Time kWall = absl::FromUnixSeconds(1'900'000'000);  // is not LogClock
const RoundId kRound = RoundId::Make(1, 7);
const RoundId kLater = RoundId::Make(1, 8);
const RoundId kNone;

RequestTry Try(const std::string& id, uint32_t attempt = 0, uint64_t body = 1) {
  return {.id = id,
          .key = std::hash<std::string>()(id),
          .body = {body, body},
          .attempt = attempt,
          .retention = {.keep_until = kNow + absl::Hours(1)}};
}

RequestTime At(int minutes) {
  return {.log = kNow + absl::Minutes(minutes), .wall = kWall + absl::Minutes(minutes)};
}

// With an expire_time, and as it comes `now`.
RequestTry Expiring(const RequestTable& table, absl::Time expires, const RequestTime& now,
                    uint32_t attempt = 0) {
  RequestTry its = Try("a", attempt);
  its.expires = expires;
  its.retention = table.RetentionOf(its, now);
  return its;
}

// In which "a" may be committed, and was asked about with this attempt.
RequestTable AskedAbout(uint32_t attempt) {
  CommittedRequests committed;
  committed.index.Add(Try("a").key, kRound);
  RequestTable table(committed);
  bool has_room = false;
  table.Ask(Try("a", attempt), &has_room);
  EXPECT_TRUE(has_room);
  return table;
}

TEST(RetentionTest, R18_CoversWhatAsksForNoLongerAndExpiresNoLater) {
  const Retention kept = {.keep_until = kNow, .expires = kWall};
  const absl::Duration later = absl::Seconds(1);
  EXPECT_TRUE(kept.Covers(kept));
  EXPECT_FALSE(kept.Covers({.keep_until = kNow + later, .expires = kWall}));
  EXPECT_FALSE(kept.Covers({.keep_until = kNow, .expires = kWall + later}));
  EXPECT_TRUE(kept.Covers({.keep_until = kNow - later, .expires = kWall - later}));
}

TEST(RequestTableTest, R18_ASecondTryJoinsTheOneInFlightAndSharesItsEnd) {
  RequestTable table({});
  EXPECT_EQ(table.Admit(Try("a"), 1, At(0)).verdict, Verdict::kRun);
  EXPECT_EQ(table.Admit(Try("a"), 2, At(0)).verdict, Verdict::kJoin);
  EXPECT_EQ(table.Admit(Try("b"), 3, At(0)).verdict, Verdict::kRun);
  EXPECT_EQ(table.Admit(Try("a"), 4, At(0)).verdict, Verdict::kJoin);
  EXPECT_THAT(table.End(Try("a"), kRound), ElementsAre(2, 4));
  EXPECT_THAT(table.End(Try("b"), kNone), IsEmpty());
}

TEST(RequestTableTest, R18_ACommittedIdIsLookedUpAndAnAbortedOneRunsAfresh) {
  RequestTable table({});
  table.Admit(Try("a"), 1, At(0));
  table.End(Try("a"), kRound);
  const RequestTable::Admission again = table.Admit(Try("a"), 2, At(0));
  EXPECT_EQ(again.verdict, Verdict::kLookUp);
  EXPECT_THAT(again.rounds, ElementsAre(kRound));
  table.Admit(Try("b"), 3, At(0));
  table.End(Try("b"), kNone);
  EXPECT_EQ(table.Admit(Try("b"), 4, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, R18_ATryThatComesDuringALookUpJoinsIt) {
  RequestTable table({});
  table.Admit(Try("a"), 1, At(0));
  table.End(Try("a"), kRound);
  EXPECT_EQ(table.Admit(Try("a"), 2, At(0)).verdict, Verdict::kLookUp);
  EXPECT_EQ(table.Admit(Try("a"), 3, At(0)).verdict, Verdict::kJoin);
  EXPECT_THAT(table.End(Try("a"), kRound), ElementsAre(3));
}

TEST(RequestTableTest, AnotherBodyOfAnIdInFlightIsRefused) {
  RequestTable table({});
  table.Admit(Try("a", 0, 1), 1, At(0));
  EXPECT_EQ(table.Admit(Try("a", 0, 2), 2, At(0)).verdict, Verdict::kReused);
  // Half of the hash is not enough.
  for (const BodyHash body : {BodyHash{1, 2}, BodyHash{2, 1}}) {
    RequestTry other = Try("a");
    other.body = body;
    EXPECT_EQ(table.Admit(other, 3, At(0)).verdict, Verdict::kReused);
  }
  EXPECT_THAT(table.End(Try("a"), kRound), IsEmpty());
}

TEST(RequestTableTest, OneThatJoinedAndLeftIsNotTold) {
  RequestTable table({});
  table.Admit(Try("a"), 1, At(0));
  table.Admit(Try("a"), 2, At(0));
  table.Admit(Try("a"), 3, At(0));
  table.Leave("a", 2);
  table.Leave("a", 9);
  table.Leave("b", 3);
  EXPECT_THAT(table.End(Try("a"), kRound), ElementsAre(3));
}

TEST(RequestTableTest, R19_AnAttemptBelowOneThatWasSeenIsRefusedAfterAnAbortToo) {
  RequestTable table({});
  EXPECT_EQ(table.Admit(Try("a", 2), 1, At(0)).verdict, Verdict::kRun);
  EXPECT_EQ(table.Admit(Try("a", 1), 2, At(0)).verdict, Verdict::kOutdated);
  table.End(Try("a", 2), kNone);
  const RequestTable::Admission outdated = table.Admit(Try("a", 1), 3, At(0));
  EXPECT_EQ(outdated.verdict, Verdict::kOutdated);
  EXPECT_EQ(outdated.seen_attempt, 2u);
  EXPECT_EQ(table.Admit(Try("a"), 4, At(0)).verdict, Verdict::kOutdated);
  EXPECT_EQ(table.Admit(Try("a", 2), 5, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, R19_AnAttemptThatJoinsIsSeenToo) {
  RequestTable table({});
  table.Admit(Try("a", 1), 1, At(0));
  EXPECT_EQ(table.Admit(Try("a", 3), 2, At(0)).verdict, Verdict::kJoin);
  table.End(Try("a", 1), kNone);
  EXPECT_EQ(table.Admit(Try("a", 2), 3, At(0)).verdict, Verdict::kOutdated);
}

TEST(RequestTableTest, R19_AfterAQuestionWithAnAttemptNoLowerOneIsTaken) {
  RequestTable table({});
  bool has_room = false;
  const RequestTable::Standing standing = table.Ask(Try("a", 5), &has_room);
  EXPECT_TRUE(has_room);
  EXPECT_FALSE(standing.in_flight);
  EXPECT_FALSE(standing.aborted);
  EXPECT_FALSE(table.Ask(Try("a"), &has_room).aborted) << "a question is no try";
  EXPECT_EQ(table.Admit(Try("a", 4), 1, At(0)).verdict, Verdict::kOutdated);
  EXPECT_EQ(table.Admit(Try("a", 5), 2, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, R19_AnAnswerIsForLowerAttemptsThanOneThatWasAskedAboutToo) {
  RequestTable table = AskedAbout(5);
  EXPECT_EQ(table.Admit(Try("a", 1), 1, At(0)).verdict, Verdict::kLookUp);
  EXPECT_EQ(table.Admit(Try("a", 2), 2, At(0)).verdict, Verdict::kJoin);
  EXPECT_THAT(table.End(Try("a", 1), kRound), ElementsAre(2));
}

// Another id with the same key may have been found, or the answer may be gone.
TEST(RequestTableTest, R19_ALowerAttemptThatIsNotFoundIsRefusedAndLowersNothing) {
  RequestTable table = AskedAbout(5);
  table.Admit(Try("a", 1), 1, At(0));
  const RequestTable::Admission outdated = table.AdmitUnknown(Try("a", 1), At(0));
  EXPECT_EQ(outdated.verdict, Verdict::kOutdated);
  EXPECT_EQ(outdated.seen_attempt, 5u);
  EXPECT_EQ(table.AdmitUnknown(Try("a", 5), At(0)).verdict, Verdict::kRun);
  EXPECT_THAT(table.EndUnknown(Try("a", 1)), IsEmpty());
  table.Forget(kRound, {Try("a").key}, absl::UnixEpoch());
  EXPECT_EQ(table.Admit(Try("a", 4), 2, At(0)).verdict, Verdict::kOutdated);
  EXPECT_EQ(table.Admit(Try("a", 5), 3, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, AQuestionTellsWhatIsInFlightAbortedOrCommitted) {
  RequestTable table({});
  bool has_room = false;
  table.Admit(Try("a", 1), 1, At(0));
  EXPECT_TRUE(table.Ask(Try("a"), &has_room).in_flight);
  table.End(Try("a", 1), kNone);
  EXPECT_TRUE(table.Ask(Try("a"), &has_room).aborted);
  // Still so when the question raised the attempt.
  table.Ask(Try("a", 2), &has_room);
  EXPECT_TRUE(table.Ask(Try("a"), &has_room).aborted);
  table.Admit(Try("a", 2), 2, At(0));
  EXPECT_FALSE(table.Ask(Try("a"), &has_room).aborted);
  table.End(Try("a", 2), kRound);
  const RequestTable::Standing committed = table.Ask(Try("a"), &has_room);
  EXPECT_FALSE(committed.aborted);
  EXPECT_THAT(committed.rounds, ElementsAre(kRound));
}

TEST(RequestTableTest, AttemptsAreForgottenWhenTheirTimeIsOverAndNotBefore) {
  RequestTable table({});
  table.Admit(Try("a", 2), 1, At(0));
  table.End(Try("a", 2), kNone);
  table.Expire(At(59));
  EXPECT_EQ(table.Admit(Try("a", 1), 2, At(0)).verdict, Verdict::kOutdated);
  table.Expire(At(61));
  EXPECT_EQ(table.attempts(), 0u);
  EXPECT_EQ(table.Admit(Try("a", 1), 3, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, R18_AnAnswerIsKeptForTheHourOrUntilTheExpireTimeByTheWallClock) {
  const RequestTable table({});
  EXPECT_EQ(table.RetentionOf(Try("a"), At(0)).keep_until, kNow + kAnswerLifetime);
  EXPECT_EQ(table.RetentionOf(Try("a"), At(0)).expires, absl::UnixEpoch());
  const Retention soon = Expiring(table, kWall + absl::Minutes(1), At(0)).retention;
  EXPECT_EQ(soon.keep_until, kNow + kAnswerLifetime);
  EXPECT_EQ(soon.expires, kWall + absl::Minutes(1));
  const Retention late = Expiring(table, kWall + absl::Hours(20), At(60)).retention;
  EXPECT_EQ(late.keep_until, kNow + absl::Hours(20) + kExpirySlack);
}

TEST(RequestTableTest, R18_WhatIsDecidedLateIsKeptFromThenOn) {
  RequestTable table({});
  RequestTry its = Try("a");
  its.retention = table.RetentionOf(its, At(0));
  table.Admit(its, 1, At(0));
  EXPECT_EQ(table.RetentionOfAnswer("a", At(30)).keep_until, At(30).log + kAnswerLifetime);
}

TEST(RequestTableTest, ATryThatComesAfterItsExpireTimeIsRefused) {
  RequestTable table({});
  const RequestTry its = Expiring(table, kWall + absl::Minutes(10), At(0));
  EXPECT_EQ(table.Admit(its, 1, At(10)).verdict, Verdict::kExpired);
  EXPECT_EQ(table.Admit(its, 2, At(9)).verdict, Verdict::kRun);
  EXPECT_EQ(table.Admit(its, 3, At(10)).verdict, Verdict::kExpired) << "in flight or not";
  EXPECT_THAT(table.End(its, kRound), IsEmpty());
  EXPECT_EQ(table.Admit(its, 4, At(10)).verdict, Verdict::kExpired) << "committed or not";
}

TEST(RequestTableTest, R18_NoTryIsTakenThatExpiresByTheLatestExpireTimeOfAnswersThatAreGone) {
  RequestTable table({{}, kWall + absl::Minutes(10)});
  const auto verdict = [&table](int minutes) {
    const RequestTry its = Expiring(table, kWall + absl::Minutes(minutes), At(0));
    const Verdict said = table.Admit(its, 1, At(0)).verdict;
    if (said == Verdict::kRun) table.End(its, kNone);
    return said;
  };
  EXPECT_EQ(verdict(10), Verdict::kExpired);
  EXPECT_EQ(verdict(11), Verdict::kRun);
  table.Forget(kRound, {1}, kWall + absl::Minutes(20));
  table.Forget(kLater, {2}, kWall + absl::Minutes(15));
  EXPECT_EQ(verdict(20), Verdict::kExpired);
  EXPECT_EQ(verdict(21), Verdict::kRun);
}

TEST(RequestTableTest, R18_AnAnswerThatIsKeptIsToldThoughOthersOfItsExpireTimeAreGone) {
  RequestTable table({});
  const RequestTry its = Expiring(table, kWall + absl::Minutes(10), At(0));
  table.Admit(its, 1, At(0));
  table.Forget(kLater, {its.key + 1}, kWall + absl::Hours(1));
  EXPECT_EQ(table.Admit(its, 2, At(0)).verdict, Verdict::kJoin);
  table.End(its, kRound);
  EXPECT_EQ(table.Admit(its, 3, At(0)).verdict, Verdict::kLookUp);
  EXPECT_EQ(table.AdmitUnknown(its, At(0)).verdict, Verdict::kExpired) << "if not found";
}

// The wall clock was ahead when the attempt came, and is set right.
TEST(RequestTableTest, R19_AnAttemptThatIsForgottenLeavesItsExpireTimeBehind) {
  RequestTable table({});
  const absl::Time expires = kWall + absl::Hours(20);
  RequestTime ahead = At(0);
  ahead.wall = expires - absl::Hours(2);
  const RequestTry second = Expiring(table, expires, ahead, 2);
  table.Admit(second, 1, ahead);
  table.End(second, kNone);
  const RequestTry stuck = Expiring(table, expires, At(119), 1);
  table.Expire(At(119));
  EXPECT_EQ(table.Admit(stuck, 2, At(119)).verdict, Verdict::kOutdated);
  table.Expire(At(126));
  EXPECT_EQ(table.attempts(), 0u);
  EXPECT_EQ(table.Admit(stuck, 3, At(126)).verdict, Verdict::kExpired);
}

TEST(RequestTableTest, R19_TheAnswerStandsForTheExpireTimesOfEarlierAttempts) {
  RequestTable table({});
  const RequestTry first = Expiring(table, kWall + absl::Hours(20), At(0), 1);
  const RequestTry second = Expiring(table, kWall + absl::Hours(10), At(0), 2);
  table.Admit(first, 1, At(0));
  table.End(first, kNone);
  table.Admit(second, 2, At(0));
  // For as long, too: or the answer would leave it behind before its time.
  EXPECT_EQ(table.RetentionOfAnswer("a", At(0)).expires, first.expires);
  EXPECT_EQ(table.RetentionOfAnswer("a", At(0)).keep_until, first.retention.keep_until);
}

TEST(RequestTableTest, R19_ALaterAttemptIsRememberedForWhatAnEarlierOneAskedFor) {
  RequestTable table({});
  const RequestTry first = Expiring(table, kWall + absl::Hours(20), At(0), 1);
  table.Admit(first, 1, At(0));
  table.End(first, kNone);
  const RequestTry second = Expiring(table, kWall + absl::Hours(2), At(0), 2);
  table.Admit(second, 2, At(0));
  table.End(second, kNone);
  table.Expire(At(19 * 60));
  EXPECT_EQ(table.attempts(), 1u);
  table.Expire(At(21 * 60));
  EXPECT_EQ(table.forgotten_expiry(), first.expires);
}

TEST(RequestTableTest, OneThatWasLookedUpAndIsNotKnownWasNotAborted) {
  RequestTable table({});
  bool has_room = false;
  table.Admit(Try("a", 1), 1, At(0));
  table.End(Try("a", 1), kRound);
  EXPECT_EQ(table.Admit(Try("a", 2), 2, At(0)).verdict, Verdict::kLookUp);
  EXPECT_EQ(table.Admit(Try("a", 3), 3, At(0)).verdict, Verdict::kJoin);
  EXPECT_THAT(table.EndUnknown(Try("a", 2)), ElementsAre(3));
  EXPECT_FALSE(table.Ask(Try("a"), &has_room).aborted);
  EXPECT_FALSE(table.Ask(Try("a"), &has_room).in_flight);
  table.Forget(kRound, {Try("a").key}, absl::UnixEpoch());
  EXPECT_EQ(table.Admit(Try("a", 2), 4, At(0)).verdict, Verdict::kOutdated);
}

TEST(RequestTableTest, ManyAttemptsWhoseTimeIsOverAreForgottenInSeveralCalls) {
  RequestTable table({});
  for (int i = 0; i < 1500; ++i) {
    table.Admit(Try(std::to_string(i), 1), 1, At(0));
    table.End(Try(std::to_string(i), 1), kNone);
  }
  table.Expire(At(120));
  EXPECT_EQ(table.attempts(), 500u);
  table.Expire(At(120));
  EXPECT_EQ(table.attempts(), 0u);
}

TEST(RequestTableTest, AnAttemptThatCannotBeRememberedIsNotTaken) {
  RequestTable table({}, {.attempts = 2});
  table.Admit(Try("a", 1), 1, At(0));
  table.Admit(Try("b", 1), 2, At(0));
  EXPECT_EQ(table.Admit(Try("c", 1), 3, At(0)).verdict, Verdict::kNoRoom);
  EXPECT_EQ(table.Admit(Try("c"), 4, At(0)).verdict, Verdict::kRun);
  EXPECT_EQ(table.Admit(Try("a", 2), 5, At(0)).verdict, Verdict::kJoin);
  bool has_room = true;
  table.Ask(Try("d", 1), &has_room);
  EXPECT_FALSE(has_room);
  // A commit makes room: its answer is told to every attempt.
  table.End(Try("a", 2), kRound);
  table.Admit(Try("e", 1), 6, At(0));
  EXPECT_EQ(table.Admit(Try("a", 3), 7, At(0)).verdict, Verdict::kLookUp);
  EXPECT_EQ(table.Admit(Try("a", 4), 8, At(0)).verdict, Verdict::kNoRoom) << "it could not tell";
  EXPECT_EQ(table.AdmitUnknown(Try("a", 3), At(0)).verdict, Verdict::kNoRoom);
  table.End(Try("a", 3), kRound);
  table.End(Try("e", 1), kRound);
  EXPECT_EQ(table.Admit(Try("d", 1), 6, At(0)).verdict, Verdict::kRun);
}

TEST(RequestTableTest, TwoIdsOfOneKeyAreBothFound) {
  RequestTry first = Try("a");
  RequestTry second = Try("b");
  second.key = first.key;
  RequestTable table({});
  table.Admit(first, 1, At(0));
  table.End(first, kRound);
  EXPECT_EQ(table.Admit(second, 2, At(0)).verdict, Verdict::kLookUp);
  table.End(second, kLater);
  EXPECT_THAT(table.Admit(first, 3, At(0)).rounds, UnorderedElementsAre(kRound, kLater));
  table.Forget(kRound, {first.key}, absl::UnixEpoch());
  EXPECT_THAT(table.Admit(second, 4, At(0)).rounds, ElementsAre(kLater));
}

TEST(RequestIndexTest, IsWhatAPlainMultimapWouldBe) {
  std::mt19937_64 random(SeedOfTest());
  RequestIndex index;
  std::map<RequestKey, std::set<RoundId>> plain;
  for (int i = 0; i < 20'000; ++i) {
    const RequestKey key = random() % 50;
    const RoundId round = RoundId::Make(1, random() % 5);
    if (random() % 2 == 0) {
      index.Add(key, round);
      plain[key].insert(round);
    } else {
      index.Remove(key, round);
      plain[key].erase(round);
    }
    const Rounds found = index.Find(key);
    ASSERT_EQ(std::set<RoundId>(found.begin(), found.end()), plain[key]);
    ASSERT_EQ(found.size(), plain[key].size());
  }
}

}  // namespace
}  // namespace lockstep::coordinator
