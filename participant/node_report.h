// What a participant tells of itself, and the one place where every thread can read it.
#ifndef LOCKSTEP_PARTICIPANT_NODE_REPORT_H_
#define LOCKSTEP_PARTICIPANT_NODE_REPORT_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/round_id.h"

namespace lockstep::participant {

// The number of the format of records, side file and own table; see docs/PROTOCOL.md.
inline constexpr uint32_t kDataFormat = 1;

// As lockstep.v1.Role.
enum class NodeRole { kMaster = 1, kBackup = 2 };

// Who this node is, by its settings.
struct NodeIdentity {
  std::string cluster_id;
  std::string node_id;
  std::string database;
  NodeRole role = NodeRole::kMaster;
};

struct HeldRoundReport {
  RoundId round;
  bool in_doubt = false;
  bool has_record = false;
  absl::Time since;
};

struct NodeReport {
  uint64_t boot_id = 0;
  RoundId applied;
  RoundId durable;
  std::optional<HeldRoundReport> held;
  // Takes part in transactions: recovery is over, nothing is in doubt, a coordinator is known.
  bool ready = false;
  // Recovery is over and nothing is in doubt: what gRPC's health service tells.
  bool serving = false;
  bool identified = false;
  Term term = 0;
  uint64_t coordinator = 0;  // the boot id of the run that the term belongs to
  RoundId tombstone;
  int64_t wal_bytes = 0;
  int64_t syncs = 0;
  int64_t prepared_rounds = 0;
};

// The latest report. The actor publishes, every thread reads.
class ReportBoard {
 public:
  void Publish(const NodeReport& report) {
    std::lock_guard lock(mutex_);
    const bool changed = report.serving != report_.serving;
    report_ = report;
    if (changed && watcher_) watcher_(report_.serving);
  }
  NodeReport Get() const {
    std::lock_guard lock(mutex_);
    return report_;
  }

  // Calls `watcher` now, and whenever `serving` changes, until the next call; null ends it. It must
  // not block, nor use the board.
  void WatchServing(std::function<void(bool serving)> watcher) {
    std::lock_guard lock(mutex_);
    watcher_ = std::move(watcher);
    if (watcher_) watcher_(report_.serving);
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  NodeReport report_;
  std::function<void(bool serving)> watcher_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_NODE_REPORT_H_
