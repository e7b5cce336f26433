// One participant: its store, its actor and its readers.
#ifndef LOCKSTEP_PARTICIPANT_PARTICIPANT_H_
#define LOCKSTEP_PARTICIPANT_PARTICIPANT_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "participant/handle.h"
#include "participant/participant_options.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

// Owns everything of one node but its server.
//
//   auto participant = Participant::Start(options, &clock);
//   participant->handle().Execute(...);  // any thread
//   participant->Stop();                 // after the last answer that anybody waits for
class Participant {
 public:
  // Recovers the volume, or sets it up, and starts the threads. An error names what is wrong with
  // the volume. `clock` outlives it and its handles.
  static absl::StatusOr<std::unique_ptr<Participant>> Start(ParticipantOptions options,
                                                            const Clock* clock);
  // For Start alone.
  explicit Participant(std::shared_ptr<internal::Core> core) : core_(std::move(core)) {}
  // Stop.
  ~Participant();
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  // What Start spent its time on.
  const OpenTimes& open_times() const;

  ParticipantHandle handle() const { return ParticipantHandle(core_); }

  // Answers what was accepted (what still waits, with SHUTTING_DOWN), syncs, and keeps what is
  // prepared. One thread; may be repeated.
  void Stop();

 private:
  std::shared_ptr<internal::Core> core_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_PARTICIPANT_H_
