// What is under way on the model's network.
#ifndef LOCKSTEP_TESTS_MODEL_MESSAGE_H_
#define LOCKSTEP_TESTS_MODEL_MESSAGE_H_

#include "tests/model/interner.h"
#include "tests/simulation/message.h"

namespace lockstep::model {

struct Message {
  enum class Kind : uint8_t {
    kRequest,
    kAnswer,
    kBroken,  // the participant died while it handled the request
  };
  Kind kind = Kind::kRequest;
  // Somebody waits: a call is exactly one live message, which is first its request, then its
  // answer. What is not live any more may still be handled, and is answered to nobody.
  bool live = true;
  // Request::coordinator is the boot id of the run; no call numbers. Without branches in an answer.
  simulation::Request request;
  RoundId must_show;  // of a read
  simulation::Answer answer;
};

class Messages {
 public:
  Id Intern(const Message& message);
  const Message& at(Id id) const { return messages_.at(id); }
  size_t size() const { return messages_.size(); }

  // The same, but nobody waits any more; 0 if it does not matter then.
  Id Orphan(Id id);

 private:
  Interner<Message> messages_;
};

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_MESSAGE_H_
