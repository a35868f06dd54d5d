// SecretSources: the keys and values that put's flags name.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::cli {

struct SourceWords {
  std::vector<std::string> literals;  // k=v
  std::vector<std::string> files;     // [k=]path
  std::string env_file;
  std::string json_file;
  std::string stdin_key;
};

// kInvalid: a malformed word, a key twice; kNotFound: a file that is not there; kLimit: too long.
// Never repeats a value.
base::Result<store::Keys> ReadSources(const SourceWords& words, Context& context);

struct NamedKeys {
  store::SecretName name;
  store::Keys keys;
};

// The secrets of one YAML or JSON file (`-` is standard input): v1 Secrets, MirroredSecrets as `get
// --reveal -o yaml` prints them, or Lists of these, several documents separated by `---`. The name
// is the annotation hsm.j5t.io/name, spec.name, or metadata.name.
base::Result<std::vector<NamedKeys>> ReadManifest(const std::string& path, Context& context);

}  // namespace hsmops::cli
