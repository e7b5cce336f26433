#include "tests/participant/storage/power_loss/counts.h"

#include <sstream>

namespace lockstep::participant {

void Counts::Add(const Counts& other) {
  images += other.images;
  kills += other.kills;
  recoveries_cut_off += other.recoveries_cut_off;
  rounds += other.rounds;
  commits += other.commits;
  cuts += other.cuts;
  rollbacks += other.rollbacks;
  unseen_rollbacks += other.unseen_rollbacks;
  no_only += other.no_only;
  locals += other.locals;
  checkpoints += other.checkpoints;
  in_doubt += other.in_doubt;
  in_doubt_without_record += other.in_doubt_without_record;
  in_doubt_committed += other.in_doubt_committed;
  redone += other.redone;
}

std::string Counts::ToString() const {
  std::ostringstream out;
  out << images << " images, " << kills << " kills, " << recoveries_cut_off
      << " recoveries cut off, " << rounds << " rounds, " << commits << " commits, " << cuts
      << " cuts, " << rollbacks << " rollbacks, " << unseen_rollbacks << " of unseen rounds, "
      << no_only << " rounds of NO only, " << locals << " local, " << checkpoints
      << " checkpoints, " << in_doubt << " in doubt, " << in_doubt_without_record
      << " without record, " << in_doubt_committed << " of them committed, " << redone
      << " cuts finished at a start";
  return out.str();
}

}  // namespace lockstep::participant
