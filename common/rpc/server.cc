#include "common/rpc/server.h"

#include "absl/time/clock.h"
#include "common/check.h"
#include "common/rpc/grpc_logs.h"
#include "common/rpc/listen_check.h"

namespace lockstep::rpc {

Server::Server(ServerOptions options)
    : options_(std::move(options)),
      builder_(std::make_unique<grpc::ServerBuilder>()),
      queues_(builder_.get(), options_.queues) {
  RouteGrpcLogs();
  SetServerArguments(builder_.get(), options_.max_receive_bytes);
  health_service_ = Add<Health::Service>();
  reflection_service_ = Add<Reflection::Service>();
  Handle(health_service_, &Health::Service::AsyncService::RequestCheck, "Check",
         {.waiting_per_queue = 1, .max_in_flight = 100, .refuse_when_stopping = false},
         [this](Call<Health::Request, Health::Response> call) { health_.Check(std::move(call)); });
}

Server::~Server() {
  StopServing(absl::ZeroDuration());
  DrainQueues();
}

void Server::AddService(std::unique_ptr<grpc::Service> service, std::string name) {
  builder_->RegisterService(service.get());
  services_.push_back(std::move(service));
  health_.Add(name);
  service_names_.push_back(std::move(name));
}

void Server::AddMethod(std::shared_ptr<internal::MethodState> method, Post post) {
  methods_.emplace_back(std::move(method), std::move(post));
}

absl::Status Server::Start() {
  LOCKSTEP_CHECK(reflection_ == nullptr, "a server starts once");
  reflection_ = std::make_unique<Reflection>(service_names_);
  if (absl::Status check = CheckListenAddress(options_.address); !check.ok()) return check;
  builder_->AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port_);
  server_ = builder_->BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    return absl::UnavailableError("cannot listen on " + options_.address);
  }
  for (int i = 0; i < queues_.size(); ++i) Serve(queues_.at(i));
  queues_.Run("rpc");
  return absl::OkStatus();
}

void Server::Serve(Queue* queue) {
  for (const auto& [method, post] : methods_) {
    for (int i = 0; i < method->options.waiting_per_queue; ++i) post(queue);
  }
  health_.ServeWatch(health_service_, queue);
  reflection_->Serve(reflection_service_, queue);
}

void Server::SetServing(bool serving) { health_.SetServing(serving); }

void Server::Refuse() {
  if (server_ == nullptr || stopping_.exchange(true)) return;
  health_.Stop();
  reflection_->Stop();
}

void Server::StopServing(absl::Duration grace) {
  if (server_ == nullptr || std::exchange(shut_down_, true)) return;
  Refuse();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

void Server::DrainQueues() {
  queues_.Shutdown();
  queues_.Join();
}

}  // namespace lockstep::rpc
