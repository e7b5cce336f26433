// The decision log of a simulation: a model, which loses and keeps writes by chance.
#ifndef LOCKSTEP_TESTS_SIMULATION_MODEL_LOG_H_
#define LOCKSTEP_TESTS_SIMULATION_MODEL_LOG_H_

#include <memory>
#include <utility>
#include <vector>

#include "tests/simulation/log_model.h"
#include "tests/simulation/sim_log.h"

namespace lockstep::simulation {

class ModelLog final : public SimLog {
 public:
  ModelLog(const coordinator::Config& config, const Options* options, Random* random,
           Observer observer)
      : options_(options),
        random_(random),
        observer_(std::move(observer)),
        model_(config.participants.size(), *options) {}

  std::optional<coordinator::TermStart> Open() override;
  bool Write(Term term, const LogWrite& write) override;
  bool Tidy(Term term, absl::Time now,
            std::vector<coordinator::ForgottenAnswers>* forgotten) override;
  bool FindAnswer(Term term, const coordinator::RequestTry& its, const coordinator::Rounds& rounds,
                  std::optional<CommittedTry>* found) override;
  void MarkSuperseded(Term term) override { model_.MarkSuperseded(term); }
  void End(Term term, const LogWrite& waiting) override;
  std::unique_ptr<SimLog> Copy() const override { return std::make_unique<ModelLog>(*this); }

  bool superseded() const override { return model_.superseded(); }
  const std::vector<uint64_t>& runs() const override { return model_.runs(); }
  size_t open_decisions() const override { return model_.size(); }

 private:
  // `is_last`: the coordinator ends with it, or because of it.
  bool WriteDecision(Term term, const DecisionWrite& write, bool is_last);

  const Options* const options_;
  Random* const random_;
  const Observer observer_;
  LogModel model_;
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_MODEL_LOG_H_
