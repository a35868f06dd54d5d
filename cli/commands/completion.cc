#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {
namespace {

// Each asks the binary itself (`__complete`), so no list of verbs or flags stands here.
constexpr const char* kBash = R"SH(# bash completion for kubectl-hsm
_kubectl_hsm() {
  local IFS=$'\n' answer
  answer=$(kubectl-hsm __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(printf '%s\n' "$answer" | grep -v '^:'))
  [[ ${answer##*$'\n'} != :0 ]] || compopt -o default 2>/dev/null
}
complete -F _kubectl_hsm kubectl-hsm
)SH";
constexpr const char* kZsh = R"SH(#compdef kubectl-hsm
_kubectl_hsm() {
  local -a found
  found=("${(@f)$(kubectl-hsm __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[-1] == :0 ]]; then
    _files
  else
    found=(${found:#:*})
    compadd -a found
  fi
}
compdef _kubectl_hsm kubectl-hsm
)SH";
constexpr const char* kFish = R"SH(# fish completion for kubectl-hsm
function __kubectl_hsm_complete
  set -l answer (kubectl-hsm __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
  if test "$answer[-1]" = :0
    __fish_complete_path (commandline -ct)
  else
    string match -v ':*' -- $answer
  end
end
complete -c kubectl-hsm -f -a "(__kubectl_hsm_complete)"
)SH";
// kubectl asks an executable of this name for what completes `kubectl hsm`.
constexpr const char* kPlugin = R"SH(#!/bin/sh
exec kubectl-hsm __complete "$@"
)SH";

int Install(Context& context, const std::string& folder) {
  if (folder.empty())
    return context.Fail({base::ErrorCode::kInvalid, "install wants --to FOLDER, one of your PATH"});
  const std::string path = folder + "/kubectl_complete-hsm";
  if (auto written = base::WriteFile(path, base::AsBytes(kPlugin), 0755); !written.ok())
    return context.Fail(written.error());
  context.out() << fmt::format("{} completes kubectl hsm\n", base::Printable(path));
  return kDone;
}

}  // namespace

Verb CompletionVerb() {
  return {"completion",
          "Print completion for a shell, or install it for kubectl",
          {},
          {"kubectl hsm completion bash > /etc/bash_completion.d/kubectl-hsm",
           "kubectl hsm completion install --to ~/bin"},
          false,
          [](Words& words) -> Runner {
            auto shell = std::make_shared<std::string>();
            auto folder = std::make_shared<std::string>();
            words.Argument("SHELL", "bash, zsh, fish or install", *shell, true);
            words.Takes("SHELL", {"bash", "zsh", "fish", "install"});
            words.Option("to", "FOLDER", "where install puts kubectl_complete-hsm", *folder);
            return [shell, folder](Context& context) {
              if (*shell == "install") return Install(context, *folder);
              const char* text = *shell == "bash"   ? kBash
                                 : *shell == "zsh"  ? kZsh
                                 : *shell == "fish" ? kFish
                                                    : nullptr;
              if (text == nullptr)
                return context.Fail({base::ErrorCode::kInvalid,
                                     fmt::format("\"{}\" is not one of bash, zsh, fish, install",
                                                 base::Printable(*shell))});
              context.out() << text;
              return kDone;
            };
          }};
}

}  // namespace hsmops::cli
