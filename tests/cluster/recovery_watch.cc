#include "tests/cluster/recovery_watch.h"

#include <algorithm>

namespace lockstep::testing_support {

RecoveryWatch::RecoveryWatch(ProcessCluster* cluster, FailpointOrders* orders)
    : cluster_(*cluster), orders_(*orders), coordinator_(cluster->Coordinator()) {
  for (size_t i = 0; i < cluster_.size(); ++i) orders->Watch(i, "prepare_arrived");
}

void RecoveryWatch::Begin(size_t process) {
  process_ = process;
  is_over_ = false;
  prepares_.clear();
  for (size_t i = 0; i < cluster_.size(); ++i) prepares_.push_back(orders_.Passed(i));
}

bool RecoveryWatch::IsOver() {
  if (is_over_) return true;
  if (process_ < cluster_.size()) {
    is_over_ = HasPrepareSince(process_);
  } else {
    is_over_ = AllHaveOne() || CoordinatorShowsAllReady();
  }
  return is_over_;
}

bool RecoveryWatch::HasPrepareSince(size_t participant) const {
  return orders_.Passed(participant) > prepares_[participant];
}

bool RecoveryWatch::AllHaveOne() const {
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (!HasPrepareSince(i)) return false;
  }
  return true;
}

bool RecoveryWatch::CoordinatorShowsAllReady() const {
  if (!cluster_.coordinator().started()) return false;
  v1::GetClusterStatusResponse response;
  const grpc::Status status =
      coordinator_->GetClusterStatus(Within(absl::Milliseconds(50)).get(), {}, &response);
  const auto& nodes = response.participants();
  return status.ok() && std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
           return node.state() == v1::STATE_READY && node.in_doubt_round() == 0;
         });
}

}  // namespace lockstep::testing_support
