#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/commands/demo_folder.h"
#include "cli/commands/verbs.h"
#include "cli/demo/agents_story.h"
#include "cli/demo/tokens_story.h"
#include "cli/exit_code.h"
#include "libhsmops/base/file.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

Result<void> TellAll(Narrator& narrator) {
  narrator.Say("Every command here has --local " + narrator.cluster() +
               " as well, which names the cluster; it is left out to be read.");
  HSM_RETURN_IF_ERROR(TellOfTokens(narrator));
  narrator.UseCluster("agents");
  return TellOfAgents(narrator);
}

int Tell(Context& context, const std::string& folder) {
  const base::TimePoint begin = context.clock().Now();
  Narrator narrator(context, folder);
  if (auto told = TellAll(narrator); !told.ok()) {
    context.err() << "demo FAILED: " << told.error().message() << "\n";
    return kFailed;
  }
  context.out() << fmt::format("\nDone in {}: {} commands, every one showed what it should.\n",
                               base::FormatDuration(context.clock().Now() - begin),
                               narrator.commands());
  return kDone;
}

int RunStory(Context& context) {
  const char* temporary = std::getenv("TMPDIR");
  const std::string parent = temporary == nullptr ? "/tmp" : temporary;
  std::string folder = parent + "/kubectl-hsm-demo.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    const base::Error why = base::ErrnoError("making a folder in TMPDIR", parent, errno);
    return context.Fail(
        {why.code() == ErrorCode::kNotFound ? ErrorCode::kUnavailable : why.code(), why.message()});
  }
  const int code = Tell(context, folder);
  std::error_code ignored;
  if (code == kDone) {
    std::filesystem::remove_all(folder, ignored);
  } else {
    context.err() << "its folder is kept: " << folder << "\n";
  }
  return code;
}

}  // namespace

Verb DemoVerb() {
  return {"demo",
          "The whole story on SoftHSM tokens, agents and managers: run it, or set it up and take "
          "it down",
          {},
          {"kubectl hsm demo", "kubectl hsm demo up --local DIR"},
          true,
          [](Words& words) -> Runner {
            auto action = std::make_shared<std::string>("run");
            auto yes = std::make_shared<bool>(false);
            words.Argument("ACTION", "run, up or down", *action, false);
            words.Takes("ACTION", {"run", "up", "down"});
            words.Flag("yes", "do not ask", *yes);
            return [action, yes](Context& context) {
              if (*action == "run") return RunStory(context);
              if (*action == "up") return DemoUp(context);
              if (*action == "down") return DemoDown(context, *yes);
              return context.Fail(
                  Error(ErrorCode::kInvalid,
                        fmt::format("demo \"{}\" is not one of run, up, down", *action)));
            };
          }};
}

}  // namespace hsmops::cli
