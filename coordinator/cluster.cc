#include "coordinator/cluster.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::coordinator {
namespace {

constexpr size_t kLongestName = 64;

absl::Status CheckName(const char* what, const std::string& name) {
  if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("a ", what, " is empty"));
  if (name.size() > kLongestName) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " ", name, " is longer than ", kLongestName, " characters"));
  }
  for (const char c : name) {
    if (c <= ' ' || c > '~') {
      return absl::InvalidArgumentError(
          absl::StrCat("the ", what, " \"", name, "\" has characters that names cannot have"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNode(const ClusterNode& node) {
  for (const absl::Status& status :
       {CheckName("node_id", node.node_id), CheckName("database", node.database)}) {
    if (!status.ok()) return status;
  }
  if (node.address.rfind(':') == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("the address of node ", node.node_id, ", \"",
                                                   node.address, "\", is not host:port"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Cluster> Cluster::Make(std::string cluster_id, std::vector<ClusterNode> nodes) {
  if (absl::Status status = CheckName("cluster_id", cluster_id); !status.ok()) return status;
  if (nodes.empty()) return absl::InvalidArgumentError("the cluster has no participants");
  Cluster cluster;
  cluster.id_ = std::move(cluster_id);
  cluster.nodes_ = std::move(nodes);
  std::set<std::string> node_ids;
  std::vector<int> masters;
  for (ParticipantIndex i = 0; i < cluster.nodes_.size(); ++i) {
    const ClusterNode& node = cluster.nodes_[i];
    if (absl::Status status = CheckNode(node); !status.ok()) return status;
    if (!node_ids.insert(node.node_id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the node id ", node.node_id, " stands twice in the cluster"));
    }
    const auto [place, is_new] = cluster.database_numbers_.emplace(
        node.database, static_cast<DatabaseIndex>(cluster.databases_.size()));
    if (is_new) {
      cluster.databases_.push_back({.name = node.database, .master = i, .replicas = {}});
      masters.push_back(0);
    }
    Database& database = cluster.databases_[place->second];
    cluster.database_of_.push_back(place->second);
    const bool is_master = node.role == MemberRole::kMaster;
    database.replicas.insert(is_master ? database.replicas.begin() : database.replicas.end(), i);
    if (is_master) {
      database.master = i;
      ++masters[place->second];
    }
  }
  for (DatabaseIndex i = 0; i < masters.size(); ++i) {
    if (masters[i] == 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("the database ", cluster.databases_[i].name,
                                                   " has ", masters[i],
                                                   " nodes with role MASTER, and needs exactly 1"));
  }
  return cluster;
}

std::optional<DatabaseIndex> Cluster::FindDatabase(std::string_view name) const {
  const auto found = database_numbers_.find(std::string(name));
  if (found == database_numbers_.end()) return std::nullopt;
  return found->second;
}

std::vector<Member> Cluster::Members() const {
  std::vector<Member> members;
  for (const ClusterNode& node : nodes_) {
    members.push_back({.node_id = node.node_id, .database = node.database, .role = node.role});
  }
  return members;
}

}  // namespace lockstep::coordinator
