// Every verb of `kubectl hsm`, each made in the file of its name.
#pragma once

#include <vector>

#include "cli/verb.h"

namespace hsmops::cli {

Verb HealthVerb();
Verb ListVerb();
Verb StatusVerb();
Verb CheckVerb();
Verb SyncVerb();
Verb PromoteVerb();
Verb FailoverVerb();
Verb HistoryVerb();
Verb PauseVerb();
Verb ResumeVerb();
Verb AckVerb();
Verb PutVerb();
Verb GetVerb();
Verb DeleteVerb();
Verb RenameKeyVerb();
Verb DiffVerb();
Verb DivergenceVerb();
Verb ReinitVerb();
Verb AdoptVerb();
Verb OperationVerb();
Verb InitVerb();
Verb CertsVerb();
Verb AgentVerb();
Verb ManagerVerb();
Verb DemoVerb();
Verb CompletionVerb();
Verb VersionVerb();

// In the order in which help lists them.
std::vector<Verb> AllVerbs();

}  // namespace hsmops::cli
