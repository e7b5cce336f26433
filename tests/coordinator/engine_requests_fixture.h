// An engine and the tries of one request_id.
#ifndef LOCKSTEP_TESTS_COORDINATOR_ENGINE_REQUESTS_FIXTURE_H_
#define LOCKSTEP_TESTS_COORDINATOR_ENGINE_REQUESTS_FIXTURE_H_

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <utility>

#include "tests/coordinator/engine_fixture.h"

namespace lockstep::coordinator {

inline constexpr RequestKey kKey = 77;

class EngineRequestsTest : public EngineTest {
 protected:
  // One try of the request_id "a" on bank.
  void Try(uint32_t attempt = 0, uint64_t body = 1) {
    Try(RequestTry{
        .id = "a", .key = kKey, .body = {body, body}, .attempt = attempt, .retention = {}});
  }
  void Try(const RequestTry& request, absl::Duration timeout = absl::Seconds(10)) {
    Submit({"bank"});
    auto& transaction = std::get<std::unique_ptr<Transaction>>(mailbox_.back());
    transaction->request = request;
    transaction->deadline = clock_.MonotonicNow() + timeout;
    Pump();
  }
  // One that expires `ahead` from now.
  RequestTry Expiring(absl::Duration ahead) const {
    return {.id = "a",
            .key = kKey,
            .body = {1, 1},
            .expires = clock_.WallNow() + ahead,
            .retention = {}};
  }
  // A question with an attempt.
  void Ask(uint32_t attempt) {
    RequestTry asked{.id = "a", .key = kKey, .body = {}, .attempt = attempt, .retention = {}};
    bool has_room = false;
    engine_->AskForRequest(&asked, &has_room);
    EXPECT_TRUE(has_room);
  }
  // The log answers the latest question.
  void Answer(std::optional<StoredAnswer> answer) {
    mailbox_.push_back(AnswerLookedUp{decisions_.asked.back().transaction, std::move(answer)});
    Pump();
  }
  const v1::ExecuteResponse& OnlyAnswer() {
    EXPECT_THAT(answers_, testing::SizeIs(1));
    EXPECT_TRUE(answers_.at(0).ok());
    return answers_.at(0).value();
  }
  Reason LastReason() {
    EXPECT_FALSE(answers_.back().ok());
    return answers_.back().error().reason;
  }
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_ENGINE_REQUESTS_FIXTURE_H_
