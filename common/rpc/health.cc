#include "common/rpc/health.h"

#include <optional>
#include <utility>

namespace lockstep::rpc {
namespace {

// Each takes about 15 kB for as long as its client likes.
constexpr size_t kMostWatches = 1000;

grpc::Status TooManyWatches() {
  return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                      "this server has " + std::to_string(kMostWatches) +
                          " health watches, its limit; close some, or ask with Check");
}

}  // namespace

// One Watch, from waiting for it until its last event; owns itself. Under the mutex of its Health,
// but for what happens before it arrives.
class Health::WatchCall final : public Tag {
 public:
  static void Post(Health* health, Service::AsyncService* service, Queue* queue) {
    auto* call = new WatchCall(health, service, queue);
    const bool started = queue->Start([call](grpc::CompletionQueue* completion_queue) {
      call->context_.AsyncNotifyWhenDone(&call->done_tag_);
      call->service_->RequestWatch(
          &call->context_, &call->request_, &call->writer_, completion_queue,
          static_cast<grpc::ServerCompletionQueue*>(completion_queue), static_cast<Tag*>(call));
    });
    if (!started) delete call;
  }

  // Sends what has changed. With the mutex held.
  void Update() {
    if (operation_pending_ || broken_ || finished_) return;
    if (refused_) return Finish(TooManyWatches());
    if (health_->stopped_) {
      return Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this server is stopping"));
    }
    const Response::ServingStatus status = health_->StatusLocked(request_.service());
    if (status == sent_) return;
    sent_ = status;
    Response response;
    response.set_status(status);
    operation_pending_ = queue_->Start(
        [&](grpc::CompletionQueue*) { writer_.Write(response, static_cast<Tag*>(this)); });
    broken_ = !operation_pending_;
  }

  void OnEvent(bool ok) noexcept override {
    if (!arrived_) {
      if (ok) {
        Arrive();
      } else {
        delete this;  // the server is shutting down; without a call the done tag never comes
      }
      return;
    }
    std::unique_lock lock(health_->mutex_);
    operation_pending_ = false;
    if (!ok) broken_ = true;
    Settle(std::move(lock));
  }

 private:
  // Comes when the call is over, for whatever reason.
  class DoneTag final : public Tag {
   public:
    explicit DoneTag(WatchCall* call) : call_(call) {}
    void OnEvent(bool) noexcept override { call_->OnDone(); }

   private:
    WatchCall* const call_;
  };

  WatchCall(Health* health, Service::AsyncService* service, Queue* queue)
      : health_(health), service_(service), queue_(queue), done_tag_(this), writer_(&context_) {}
  ~WatchCall() override = default;

  void Arrive() {
    arrived_ = true;
    Post(health_, service_, queue_);
    std::unique_lock lock(health_->mutex_);
    refused_ = health_->watchers_.size() >= kMostWatches;
    health_->watchers_.insert(this);
    Settle(std::move(lock));
  }

  void OnDone() {
    std::unique_lock lock(health_->mutex_);
    done_ = true;
    broken_ = true;
    Settle(std::move(lock));
  }

  void Settle(std::unique_lock<std::mutex> lock) {
    if (done_ && !operation_pending_) {
      health_->watchers_.erase(this);
      lock.unlock();
      delete this;
      return;
    }
    Update();
  }

  void Finish(const grpc::Status& status) {
    finished_ = true;
    operation_pending_ = queue_->Start(
        [&](grpc::CompletionQueue*) { writer_.Finish(status, static_cast<Tag*>(this)); });
    broken_ = !operation_pending_;
  }

  Health* const health_;
  Service::AsyncService* const service_;
  Queue* const queue_;
  DoneTag done_tag_;
  bool arrived_ = false;
  bool refused_ = false;  // there are too many
  bool operation_pending_ = false;
  bool broken_ = false;    // nothing can be sent any more
  bool finished_ = false;  // Finish was started
  bool done_ = false;      // the done tag has come
  std::optional<Response::ServingStatus> sent_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncWriter<Response> writer_;
};

void Health::Add(const std::string& service) {
  std::lock_guard lock(mutex_);
  services_.insert(service);
}

void Health::SetServing(bool serving) {
  std::lock_guard lock(mutex_);
  serving_ = serving && !stopped_;
  for (WatchCall* watcher : watchers_) watcher->Update();
}

void Health::Stop() {
  std::lock_guard lock(mutex_);
  serving_ = false;
  stopped_ = true;
  for (WatchCall* watcher : watchers_) watcher->Update();
}

void Health::Check(Call<Request, Response> call) {
  Response response;
  {
    std::lock_guard lock(mutex_);
    response.set_status(StatusLocked(call.request().service()));
  }
  if (response.status() == Response::SERVICE_UNKNOWN) {
    call.FailWith(grpc::Status(grpc::StatusCode::NOT_FOUND, "this server has no such service"));
  } else {
    call.Finish(response);
  }
}

void Health::ServeWatch(Service::AsyncService* service, Queue* queue) {
  WatchCall::Post(this, service, queue);
}

Health::Response::ServingStatus Health::StatusLocked(const std::string& service) const {
  if (services_.count(service) == 0) return Response::SERVICE_UNKNOWN;
  return serving_ ? Response::SERVING : Response::NOT_SERVING;
}

}  // namespace lockstep::rpc
