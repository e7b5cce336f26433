// What a message means to the coordinator that waits for it.
#ifndef LOCKSTEP_TESTS_MODEL_RUN_EVENTS_H_
#define LOCKSTEP_TESTS_MODEL_RUN_EVENTS_H_

#include <vector>

#include "coordinator/protocol/event.h"
#include "tests/model/message.h"
#include "tests/model/truths.h"

namespace lockstep::model {

// Of an answer.
std::vector<coordinator::Event> EventsOfAnswer(const Message& message, Deeds* deeds);
// Of a call that failed.
std::vector<coordinator::Event> EventsOfFailure(const simulation::Request& request,
                                                coordinator::CallFailure failure);
// What the effect sends; false if it sends nothing.
bool RequestOf(const coordinator::Effect& effect, simulation::Request* request);

}  // namespace lockstep::model

#endif  // LOCKSTEP_TESTS_MODEL_RUN_EVENTS_H_
