// The participants of a cluster, as the configuration names them.
#ifndef LOCKSTEP_COORDINATOR_CLUSTER_H_
#define LOCKSTEP_COORDINATOR_CLUSTER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "coordinator/decision_log.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

struct ClusterNode {
  std::string node_id;
  std::string database;
  MemberRole role = MemberRole::kMaster;
  std::string address;  // host:port
};

// Immutable once made; any thread.
class Cluster {
 public:
  struct Database {
    std::string name;
    ParticipantIndex master = 0;
    std::vector<ParticipantIndex> replicas;  // the master first
  };

  // INVALID_ARGUMENT with a sentence for the operator, unless there are nodes, no node id stands
  // twice, nothing is empty or too long to be a name, and each database has one MASTER.
  static absl::StatusOr<Cluster> Make(std::string cluster_id, std::vector<ClusterNode> nodes);

  const std::string& id() const { return id_; }
  const std::vector<ClusterNode>& nodes() const { return nodes_; }
  const ClusterNode& node(ParticipantIndex participant) const { return nodes_[participant]; }
  const std::vector<Database>& databases() const { return databases_; }
  const Database& database(DatabaseIndex index) const { return databases_[index]; }
  DatabaseIndex database_of(ParticipantIndex participant) const {
    return database_of_[participant];
  }
  std::optional<DatabaseIndex> FindDatabase(std::string_view name) const;

  std::vector<Member> Members() const;

 private:
  Cluster() = default;

  std::string id_;
  std::vector<ClusterNode> nodes_;
  std::vector<Database> databases_;
  std::vector<DatabaseIndex> database_of_;
  absl::flat_hash_map<std::string, DatabaseIndex> database_numbers_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_CLUSTER_H_
