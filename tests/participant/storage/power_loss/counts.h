// What a run of the power-loss test did.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_COUNTS_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_COUNTS_H_

#include <cstdint>
#include <string>

namespace lockstep::participant {

// So that a test can see that nothing was left out.
struct Counts {
  int64_t images = 0;
  int64_t kills = 0;
  int64_t recoveries_cut_off = 0;
  int64_t rounds = 0;
  int64_t commits = 0;
  int64_t cuts = 0;
  int64_t rollbacks = 0;
  int64_t unseen_rollbacks = 0;
  int64_t no_only = 0;
  int64_t locals = 0;
  int64_t checkpoints = 0;
  int64_t in_doubt = 0;
  int64_t in_doubt_without_record = 0;
  int64_t in_doubt_committed = 0;
  int64_t redone = 0;

  void Add(const Counts& other);
  std::string ToString() const;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_COUNTS_H_
