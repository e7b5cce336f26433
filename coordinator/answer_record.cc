#include "coordinator/answer_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lockstep/v1/record.pb.h"

namespace lockstep::coordinator {

std::string EncodeAnswers(const std::vector<StoredAnswer>& answers) {
  v1::StoredAnswers record;
  for (const StoredAnswer& answer : answers) {
    v1::StoredAnswer* stored = record.add_answers();
    stored->set_request_id(answer.request_id);
    stored->set_body_low(answer.body.low);
    stored->set_body_high(answer.body.high);
    stored->set_answer(answer.answer);
  }
  return record.SerializeAsString();
}

absl::StatusOr<std::optional<StoredAnswer>> FindAnswerIn(RoundId round, const std::string& body,
                                                         const std::string& request_id) {
  v1::StoredAnswers record;
  if (!record.ParseFromString(body)) {
    return absl::DataLossError(
        absl::StrCat("the answers of round ", round.value(), " cannot be read"));
  }
  for (v1::StoredAnswer& stored : *record.mutable_answers()) {
    if (stored.request_id() != request_id) continue;
    StoredAnswer answer;
    answer.request_id = request_id;
    answer.round = round;
    answer.body = {stored.body_low(), stored.body_high()};
    answer.answer = std::move(*stored.mutable_answer());
    return std::optional<StoredAnswer>(std::move(answer));
  }
  return std::optional<StoredAnswer>();
}

}  // namespace lockstep::coordinator
