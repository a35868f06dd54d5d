#include "cli/commands/verbs.h"

namespace hsmops::cli {

std::vector<Verb> AllVerbs() {
  return {HealthVerb(),     ListVerb(),       StatusVerb(),  CheckVerb(),   SyncVerb(),
          PromoteVerb(),    FailoverVerb(),   HistoryVerb(), PauseVerb(),   ResumeVerb(),
          AckVerb(),        PutVerb(),        GetVerb(),     DeleteVerb(),  RenameKeyVerb(),
          DiffVerb(),       DivergenceVerb(), ReinitVerb(),  AdoptVerb(),   OperationVerb(),
          InitVerb(),       CertsVerb(),      AgentVerb(),   ManagerVerb(), DemoVerb(),
          CompletionVerb(), VersionVerb()};
}

}  // namespace hsmops::cli
