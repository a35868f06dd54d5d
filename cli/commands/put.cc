#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "cli/commands/secret_sources.h"
#include "cli/commands/verbs.h"
#include "cli/commands/writing.h"
#include "cli/exit_code.h"

namespace hsmops::cli {
namespace {

struct PutWords {
  std::string name;
  SourceWords sources;
  std::vector<std::string> manifests;
  std::string expect;
  std::string op_id;
  bool merge = false;
};

// All of them before the first is written.
base::Result<void> Check(const std::vector<store::Write>& writes) {
  std::set<std::string> names;
  for (const store::Write& write : writes) {
    const std::string& name = write.name.text();
    if (!names.insert(name).second)
      return base::Error(base::ErrorCode::kInvalid, fmt::format("-f holds {} twice", name));
    HSM_RETURN_IF_ERROR(store::CheckKeys(write.keys).Within(name));
    if (write.keys.empty() && !write.merge)
      return base::Error(base::ErrorCode::kInvalid,
                         fmt::format("{} has no keys; kubectl hsm delete removes a secret", name));
  }
  return {};
}

base::Result<std::vector<store::Write>> Gather(const PutWords& words, Context& context) {
  using base::Error;
  using base::ErrorCode;
  std::vector<store::Write> writes;
  const auto add = [&](store::SecretName name, store::Keys keys) {
    writes.push_back({std::move(name), std::move(keys), false, words.merge, {}, {}});
  };
  if (words.manifests.empty()) {
    if (words.name.empty()) return Error(ErrorCode::kInvalid, "name the secret, or give -f FILE");
    HSM_TRY(store::SecretName name, store::SecretName::Parse(words.name));
    HSM_TRY(store::Keys keys, ReadSources(words.sources, context));
    if (keys.empty())
      return Error(ErrorCode::kInvalid,
                   "no keys: give --from-literal, --from-file, --from-env-file, --from-json, "
                   "--stdin-key or -f");
    add(std::move(name), std::move(keys));
  } else {
    if (!words.name.empty()) return Error(ErrorCode::kInvalid, "give either a NAME or -f FILE");
    const auto& other = words.sources;
    if (!other.literals.empty() || !other.files.empty() || !other.env_file.empty() ||
        !other.json_file.empty() || !other.stdin_key.empty()) {
      return Error(ErrorCode::kInvalid,
                   "-f brings its own keys: --from-literal, --from-file, --from-env-file, "
                   "--from-json and --stdin-key go with a NAME");
    }
    for (const std::string& path : words.manifests) {
      HSM_TRY(auto secrets, ReadManifest(path, context));
      for (NamedKeys& secret : secrets) add(std::move(secret.name), std::move(secret.keys));
    }
    if (writes.empty()) return Error(ErrorCode::kInvalid, "-f holds no secrets");
  }
  HSM_RETURN_IF_ERROR(Check(writes));
  const bool one = writes.size() == 1;
  if (!one && (!words.expect.empty() || !words.op_id.empty()))
    return Error(ErrorCode::kInvalid, "--expect and --op-id go with a single secret");
  HSM_RETURN_IF_ERROR(SetWriteWords(context, words.expect, words.op_id, writes));
  return writes;
}

int Run(const PutWords& words, Context& context) {
  if (!words.sources.literals.empty())
    context.Warn(
        "--from-literal puts the value into the shell's history and the process list; --from-file "
        "and --stdin-key do not");
  auto writes = Gather(words, context);
  if (!writes.ok()) return context.Fail(writes.error());
  return WriteAndPrint(context, "put", *std::move(writes));
}

}  // namespace

Verb PutVerb() {
  return {"put",
          "Write a secret; all its keys are replaced unless --merge",
          {},
          {"kubectl hsm put app/db --from-file password=./pw", "kubectl hsm put -f secrets.yaml",
           "kubectl hsm put app/db --stdin-key token --merge < token"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<PutWords>();
            words.Argument("NAME", "the secret", options->name, false);
            words.List("from-literal", "KEY=VALUE", "a value on the command line, seen by others",
                       options->sources.literals);
            words.List("from-file", "[KEY=]PATH", "a value from a file", options->sources.files);
            words.Option("from-env-file", "PATH", "KEY=value lines", options->sources.env_file);
            words.Option("from-json", "PATH", "an object of strings", options->sources.json_file);
            words.Option("stdin-key", "KEY", "this key's value from standard input",
                         options->sources.stdin_key);
            words.List("f,filename", "FILE",
                       "secrets from YAML or JSON, many at once; - is standard input",
                       options->manifests);
            words.Flag("merge", "keys not named keep their values", options->merge);
            words.Option("expect", "VERSION", "refuse unless this is the version now, or absent",
                         options->expect);
            words.Option("op-id", "UUID", "the same id again does not write twice", options->op_id);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
