// All chaos of a simulation in one struct.
#ifndef LOCKSTEP_TESTS_SIMULATION_OPTIONS_H_
#define LOCKSTEP_TESTS_SIMULATION_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/protocol/config.h"
#include "participant/protocol/protocol.h"
#include "participant/storage/store_options.h"
#include "tests/simulation/random.h"

namespace lockstep::simulation {

// Both run the real protocols; what is below a participant's protocol differs.
enum class Level {
  kModel,   // a model of the participant's disk: fast
  kSqlite,  // the participant's engine, SQLite and files on a disk in memory
};

struct Options {
  Level level = Level::kModel;
  std::vector<uint32_t> replicas = {1, 1};  // per database
  int clients = 4;
  int steps = 600;

  // Chances per step.
  double participant_crash = 0;
  double power_loss = 0.5;  // of a crash: power, else only the process
  double coordinator_crash = 0;
  double second_coordinator = 0;  // a new one starts while the old one lives
  // The log is copied at some time; from then on, per step, coordinators start on the copy once
  // every participant has followed a later one.
  double old_log = 0;
  double restart = 0.1;  // of who is down
  double time_jump = 0.01;
  absl::Duration longest_time_jump = absl::Seconds(2);  // of the wall clocks also back
  double idle_sync = 0.02;

  double clock_drift = 0;      // of a start of a coordinator: its clocks go another way,
  double largest_drift = 0.1;  // faster or slower by up to this part

  // Chances per step that participants are cut off for a while: some at once, both ways or one way,
  // or swizzled: one after the other, and healed in another order.
  double partition = 0;
  double one_way_partition = 0;
  double swizzle = 0;
  // In the time of the steps before the faults stop; calls are given up after a second.
  absl::Duration longest_cut = absl::Milliseconds(1500);
  absl::Duration longest_swizzle_pause = absl::Milliseconds(60);
  double cut_off_is_lost = 0.1;  // per try to deliver what is cut off; else it waits

  // Chances per message.
  double lose_request = 0;
  double lose_answer = 0;
  double repeat_request = 0;  // a duplicate of it stays under way
  double delay = 0.2;         // stays where it is although it was picked
  double reorder = 1;         // any may be picked, and not the oldest
  // A call whose request or answer was lost fails within this time: some of them as a broken
  // connection, before the call's deadline.
  absl::Duration longest_loss = absl::Milliseconds(400);
  double loss_is_seen = 0.3;

  // Chances per place inside a participant's handler, where the disk is used, and per use of the
  // decision log; crashes in the former only.
  double crash_inside = 0;
  double disk_full = 0;  // the nth write of it finds no space
  double io_fails = 0;   // a read, write or sync, which ends the process; kSqlite only
  double slow_disk = 0;  // it takes so long that messages wait
  absl::Duration longest_disk_pause = absl::Milliseconds(300);
  // At which operation of a disk a fault lies, at most. kSqlite only: a start syncs, scans and
  // opens, and a round writes its frames and its record; a log's start that makes it has the most,
  // a decision's commit has about twelve.
  uint64_t fault_within = 12;
  uint64_t log_fault_within = 40;

  // Chances per decision write.
  double write_fails = 0;  // half of those are written all the same; kSqlite: any use of the log
  double mark_fails = 0;   // a superseded coordinator is killed before its log says so

  size_t answer_bytes = 0;  // of each that has a request_id, to fill the log; kSqlite only

  // Chances per branch or transaction.
  double vote_defer = 0.02;
  double nondeterministic = 0.03;  // its replicas disagree
  double veto = 0.02;              // its coordinator cannot use the results
  double short_deadline = 0.1;
  double request_id = 0.4;  // a client sends it until it is committed
  double late_try = 0.2;    // of a request_id: given up, and arrives when it likes
  double question = 0.2;    // instead of another try: what became of it

  coordinator::BrokenRules broken;
  bool obey_any_run = false;  // R22, at participants
  participant::BrokenRules broken_participant;
  participant::StoreFaults store_faults;   // at Level::kSqlite
  bool term_is_not_durable = false;        // R1, at the participants
  bool log_forgets_term = false;           // R1, at the coordinators
  bool tombstone_is_not_durable = false;   // R3
  std::string log_loses_syncs_of;          // files whose name ends so, at Level::kSqlite
  bool log_forgets_requests = false;       // R18
  bool log_forgets_expiries = false;       // R18; kModel only
  bool answers_are_written_apart = false;  // R18
  bool attempts_are_ignored = false;       // R19
  bool is_broken = false;  // only what the world sees counts then, not what the protocol checks
  bool trace = false;
};

// A calm, lossy, crashing or wild world, by the seed.
Options DrawOptions(uint64_t seed);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_OPTIONS_H_
