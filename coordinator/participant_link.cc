#include "coordinator/participant_link.h"

#include <utility>

namespace lockstep::coordinator {
namespace {

class GrpcLink final : public ParticipantLink {
 public:
  GrpcLink(const ClusterNode& node, rpc::QueuePool* queues)
      : client_(node.node_id, node.address, queues) {}

  void Prepare(const grpc::ByteBuffer& request, absl::Duration timeout,
               OnAnswer<v1::PrepareResponse> done) override {
    client_.Prepare(request, timeout, std::move(done));
  }
  void Commit(const v1::CommitRequest& request, absl::Duration timeout,
              OnAnswer<v1::CommitResponse> done) override {
    client_.Commit(request, timeout, std::move(done));
  }
  void Rollback(const v1::RollbackRequest& request, absl::Duration timeout,
                OnAnswer<v1::RollbackResponse> done) override {
    client_.Rollback(request, timeout, std::move(done));
  }
  void Fence(const v1::FenceRequest& request, absl::Duration timeout,
             OnAnswer<v1::FenceResponse> done) override {
    client_.Fence(request, timeout, std::move(done));
  }
  void Status(const v1::StatusRequest& request, absl::Duration timeout, bool waits,
              OnAnswer<v1::StatusResponse> done) override {
    client_.Status(request, timeout, waits, std::move(done));
  }
  void Read(const v1::ReadRequest& request, absl::Duration timeout,
            OnAnswer<v1::ReadResponse> done) override {
    client_.Read(request, timeout, std::move(done));
  }
  void CancelAll() override { client_.CancelAll(); }

 private:
  ParticipantClient client_;
};

}  // namespace

ParticipantLinks ConnectTo(const Cluster& cluster, rpc::QueuePool* queues) {
  ParticipantLinks links;
  for (const ClusterNode& node : cluster.nodes()) {
    links.push_back(std::make_unique<GrpcLink>(node, queues));
  }
  return links;
}

}  // namespace lockstep::coordinator
