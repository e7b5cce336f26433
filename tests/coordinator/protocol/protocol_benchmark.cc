// What the protocol costs a transaction, with few and many clients, and beside a long queue for a
// participant that does not answer, which should cost the others nothing.
#include <cstdio>
#include <ctime>
#include <vector>

#include "common/check.h"
#include "coordinator/protocol/protocol.h"

namespace lockstep::coordinator {
namespace {

double ProcessSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Participants that answer everything at once, with YES.
class Loop {
 public:
  Loop(size_t participants, size_t per_transaction)
      : reports_(participants),
        per_transaction_(per_transaction),
        protocol_(MakeConfig(), MakeStart()) {
    for (size_t p = 0; p < participants; ++p) reports_[p] = {p + 1, {}, {}, {}, false, {}, 1};
    protocol_.Start(now_, &effects_);
  }

  // The microseconds of processor time that a transaction takes in the protocol alone.
  double Run(size_t clients, size_t transactions) {
    for (size_t i = 0; i < clients; ++i) SubmitNext();
    double seconds = 0;
    while (ended_ < transactions) {
      for (Effect& effect : effects_) {
        std::visit([this](auto& it) { Answer(it); }, effect);
      }
      effects_.clear();
      std::vector<Event> events = std::exchange(events_, {});
      if (events.empty()) events.emplace_back(Tick{});
      now_.monotonic += absl::Microseconds(200);
      const double before = ProcessSeconds();
      protocol_.StepAll(events, now_, &effects_);
      seconds += ProcessSeconds() - before;
    }
    return seconds / static_cast<double>(ended_) * 1e6;
  }

  // So many transactions wait for participant 0, which never votes; the others go elsewhere.
  void Block(size_t transactions) {
    for (size_t i = 0; i < transactions; ++i) SubmitTo({0});
    blocked_ = true;
  }

 private:
  static StartState MakeStart() {
    StartState start;
    start.term = 1;
    return start;
  }
  Config MakeConfig() const {
    Config config;
    for (DatabaseIndex database = 0; database < reports_.size(); ++database) {
      config.participants.push_back({"node", database, true});
    }
    return config;
  }

  void SubmitNext() {
    absl::InlinedVector<ParticipantIndex, 4> participants;
    for (size_t i = 0; i < per_transaction_; ++i) {
      const size_t p = (submitted_ * per_transaction_ + i) % reports_.size();
      participants.push_back(blocked_ ? 1 : static_cast<ParticipantIndex>(p));
    }
    SubmitTo(participants);
  }

  void SubmitTo(const absl::InlinedVector<ParticipantIndex, 4>& participants) {
    Submit submit;
    submit.transaction = ++submitted_;
    submit.participants = participants;
    submit.bytes = 200;
    submit.deadline = now_.monotonic + absl::Seconds(60);
    events_.emplace_back(std::move(submit));
  }

  void Answer(const SendFence& it) {
    Push<FenceAnswered>(it.participant, reports_[it.participant]);
  }
  void Answer(const SendStatus& it) {
    Push<StatusAnswered>(it.participant, reports_[it.participant]);
  }
  void Answer(const SendPrepare& it) {
    if (blocked_ && it.participant == 0) return;
    Report& report = reports_[it.participant];
    report.durable = report.applied;
    PrepareAnswered answer{it.participant, it.round, report, {}, absl::ZeroDuration()};
    answer.votes.assign(it.branches.size(), Vote{Vote::Kind::kYes, 1});
    events_.emplace_back(std::move(answer));
  }
  void Answer(const LogDecision& it) { events_.emplace_back(DecisionDurable{it.round}); }
  void Answer(const SendCommit& it) {
    reports_[it.participant].applied = it.round;
    events_.emplace_back(CommitAnswered{it.participant, it.round, reports_[it.participant]});
  }
  void Answer(const Complete& it) {
    LOCKSTEP_CHECK(it.ending == Ending::kCommitted, "a transaction did not commit");
    ++ended_;
    SubmitNext();
  }
  template <typename T>
  void Answer(const T&) {}
  template <typename T>
  void Push(ParticipantIndex participant, const Report& report) {
    events_.emplace_back(T{participant, report});
  }

  Now now_{absl::Seconds(1), absl::FromUnixSeconds(1700000000)};
  std::vector<Report> reports_;
  const size_t per_transaction_;
  Protocol protocol_;
  std::vector<Effect> effects_;
  std::vector<Event> events_;
  bool blocked_ = false;
  size_t submitted_ = 0;
  size_t ended_ = 0;
};

void Measure(const char* name, Loop* loop, size_t clients) {
  constexpr size_t kTransactions = 100'000;
  std::printf("%-45s %6.2f us a transaction\n", name, loop->Run(clients, kTransactions));
}

void Run() {
  constexpr size_t kParticipants = 3;
  constexpr size_t kBlocked = 15'000;  // of the 20,000 that the queue takes
  for (const auto& [name, clients] : {std::pair("3 participants, 1 client", size_t{1}),
                                      std::pair("3 participants, 64 clients", size_t{64}),
                                      std::pair("3 participants, 256 clients", size_t{256})}) {
    Loop loop(kParticipants, kParticipants);
    Measure(name, &loop, clients);
  }
  Loop many(64, 2);
  Measure("64 participants, 1024 clients", &many, 1024);
  Loop free(2, 1);
  Measure("1 participant, 64 clients", &free, 64);
  Loop beside(2, 1);
  beside.Block(kBlocked);
  Measure("the same, 15,000 waiting for another one", &beside, 64);
}

}  // namespace
}  // namespace lockstep::coordinator

int main() {
  lockstep::coordinator::Run();
  return 0;
}
