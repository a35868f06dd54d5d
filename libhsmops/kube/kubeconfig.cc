#include "libhsmops/kube/kubeconfig.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using nlohmann::json;

namespace {

constexpr const char* kExecExtension = "client.authentication.k8s.io/exec";
constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20;

// The fields of one mapping, by name; the first that is wrong is remembered, with where it is.
class Fields {
 public:
  Fields(const json& map, std::string where) : map_(map), where_(std::move(where)) {}

  void Take(const char* name, std::string& out) {
    if (const json* value = Find(name, &json::is_string, "text")) out = value->get<std::string>();
  }
  void Take(const char* name, bool& out) {
    if (const json* value = Find(name, &json::is_boolean, "true or false"))
      out = value->get<bool>();
  }
  void Take(const char* name, SecretBytes& out) {
    std::string text;
    Take(name, text);
    if (!text.empty()) out = SecretBytes::FromText(text);
    base::Wipe(text.data(), text.size());
  }
  void Take(const char* name, std::vector<std::string>& out) {
    const json* list = Find(name, &json::is_array, "a list");
    if (list == nullptr) return;
    for (const json& one : *list) {
      if (!one.is_string()) return Wrong(name, "a list of texts");
      out.push_back(one.get<std::string>());
    }
  }
  void TakePath(const char* name, const std::string& folder, std::string& out) {
    Take(name, out);
    if (!out.empty() && out.front() != '/') out = folder + "/" + out;
  }
  // "certificate-authority" and "certificate-authority-data".
  void TakeMaterial(const std::string& name, const std::string& folder, Material& out) {
    TakePath(name.c_str(), folder, out.file);
    const std::string data_name = name + "-data";
    std::string text;
    Take(data_name.c_str(), text);
    if (text.empty()) return;
    auto bytes = base::FromBase64(text);
    base::Wipe(text.data(), text.size());
    if (!bytes.ok()) return Wrong(data_name.c_str(), "base64");
    out.data = *std::move(bytes);
  }
  const json* Map(const char* name) { return Find(name, &json::is_object, "a mapping"); }
  const json* List(const char* name) { return Find(name, &json::is_array, "a list"); }
  void Wrong(const char* name, const char* expected) {
    if (!error_)
      error_ = Error(ErrorCode::kInvalid, fmt::format("{}{}{} is not {}", where_,
                                                      where_.empty() ? "" : ".", name, expected));
  }

  Result<void> Finish() const { return error_ ? Result<void>(*error_) : Result<void>(); }

 private:
  const json* Find(const char* name, bool (json::*is)() const noexcept, const char* expected) {
    const auto found = map_.find(name);
    if (found == map_.end() || found->is_null()) return nullptr;
    if (((*found).*is)()) return &*found;
    Wrong(name, expected);
    return nullptr;
  }

  const json& map_;
  const std::string where_;
  std::optional<Error> error_;
};

Result<ExecConfig> ParseExec(const json& map, const std::string& folder, const std::string& where) {
  ExecConfig exec;
  Fields fields(map, where);
  fields.Take("apiVersion", exec.api_version);
  fields.Take("command", exec.command);
  if (exec.command.find('/') != std::string::npos && exec.command.front() != '/')
    exec.command = folder + "/" + exec.command;
  fields.Take("args", exec.args);
  fields.Take("installHint", exec.install_hint);
  fields.Take("provideClusterInfo", exec.provide_cluster_info);
  std::string mode;
  fields.Take("interactiveMode", mode);
  if (mode == "Never") {
    exec.interactive = InteractiveMode::kNever;
  } else if (mode == "Always") {
    exec.interactive = InteractiveMode::kAlways;
  } else if (!mode.empty() && mode != "IfAvailable") {
    fields.Wrong("interactiveMode", "Never, IfAvailable or Always");
  }
  if (const json* env = fields.List("env")) {
    for (const json& one : *env) {
      if (!one.is_object()) {
        fields.Wrong("env", "a list of name and value");
        continue;
      }
      Fields pair(one, where + ".env");
      auto& [name, value] = exec.env.emplace_back();
      pair.Take("name", name);
      pair.Take("value", value);
      HSM_RETURN_IF_ERROR(pair.Finish());
    }
  }
  HSM_RETURN_IF_ERROR(fields.Finish());
  return exec;
}

Result<Cluster> ParseOne(const json& map, const std::string& folder, const std::string& where,
                         const Cluster*) {
  Cluster cluster;
  Fields fields(map, where);
  fields.Take("server", cluster.server);
  fields.TakeMaterial("certificate-authority", folder, cluster.certificate_authority);
  fields.Take("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify);
  fields.Take("tls-server-name", cluster.tls_server_name);
  fields.Take("proxy-url", cluster.proxy_url);
  if (const json* extensions = fields.List("extensions")) {
    for (const json& one : *extensions) {
      if (one.is_object() && one.value("name", json()) == kExecExtension &&
          one.contains("extension"))
        cluster.exec_extension = one.at("extension").dump();
    }
  }
  HSM_RETURN_IF_ERROR(fields.Finish());
  return cluster;
}

Result<User> ParseOne(const json& map, const std::string& folder, const std::string& where,
                      const User*) {
  User user;
  Fields fields(map, where);
  fields.TakeMaterial("client-certificate", folder, user.client_certificate);
  fields.TakeMaterial("client-key", folder, user.client_key);
  fields.Take("token", user.token);
  fields.TakePath("tokenFile", folder, user.token_file);
  fields.Take("username", user.username);
  fields.Take("password", user.password);
  fields.Take("as", user.as);
  fields.Take("as-uid", user.as_uid);
  fields.Take("as-groups", user.as_groups);
  if (const json* extra = fields.Map("as-user-extra")) {
    Fields values(*extra, where + ".as-user-extra");
    for (const auto& [key, value] : extra->items())
      values.Take(key.c_str(), user.as_user_extra[key]);
    HSM_RETURN_IF_ERROR(values.Finish());
  }
  if (const json* exec = fields.Map("exec")) {
    HSM_TRY(user.exec, ParseExec(*exec, folder, where + ".exec"));
  }
  if (const json* provider = fields.Map("auth-provider"))
    user.auth_provider = provider->value("name", "without a name");
  HSM_RETURN_IF_ERROR(fields.Finish());
  return user;
}

Result<Context> ParseOne(const json& map, const std::string&, const std::string& where,
                         const Context*) {
  Context context;
  Fields fields(map, where);
  fields.Take("cluster", context.cluster);
  fields.Take("user", context.user);
  fields.Take("namespace", context.ns);
  HSM_RETURN_IF_ERROR(fields.Finish());
  return context;
}

// [{name: …, <singular>: {…}}, …]
template <typename T>
Result<void> ParseList(Fields& whole, const char* list_name, const char* singular,
                       const std::string& folder, std::map<std::string, T>& out) {
  const json* list = whole.List(list_name);
  if (list == nullptr) return {};
  for (const json& entry : *list) {
    if (!entry.is_object()) {
      whole.Wrong(list_name, "a list of mappings");
      continue;
    }
    Fields fields(entry, list_name);
    std::string name;
    fields.Take("name", name);
    const json* body = fields.Map(singular);
    HSM_RETURN_IF_ERROR(fields.Finish());
    const std::string where = fmt::format("{} \"{}\"", singular, base::Printable(name));
    static const json nothing = json::object();
    HSM_TRY(T one, ParseOne(body == nullptr ? nothing : *body, folder, where,
                            static_cast<const T*>(nullptr)));
    if (!out.try_emplace(name, std::move(one)).second)
      return Error(ErrorCode::kInvalid, where + " is there twice");
  }
  return {};
}

// What `later` has and `merged` does not.
void Merge(Kubeconfig later, Kubeconfig& merged) {
  merged.clusters.merge(later.clusters);
  merged.users.merge(later.users);
  merged.contexts.merge(later.contexts);
  if (merged.current_context.empty()) merged.current_context = std::move(later.current_context);
}

Result<Kubeconfig> LoadFile(const std::string& path) {
  HSM_TRY(const SecretBytes text, base::ReadFile(path, kMaxKubeconfigBytes));
  const base::ByteView view = text.view();
  return Kubeconfig::Parse({reinterpret_cast<const char*>(view.data()), view.size()},
                           base::FolderOf(path))
      .Within(base::Printable(path));
}

// $KUBECONFIG's, each once; of an empty one ~/.kube/config.
std::vector<std::string> PathsOf(const Environment& environment) {
  std::vector<std::string> paths;
  const auto named = environment.find("KUBECONFIG");
  if (named != environment.end()) {
    for (std::size_t at = 0; at <= named->second.size();) {
      const std::size_t end = std::min(named->second.find(':', at), named->second.size());
      const std::string path = named->second.substr(at, end - at);
      if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
      at = end + 1;
    }
  }
  const auto home = environment.find("HOME");
  if (paths.empty() && home != environment.end() && !home->second.empty())
    paths.push_back(home->second + "/.kube/config");
  return paths;
}

}  // namespace

Result<SecretBytes> Material::Read(const std::string& what) const {
  if (!data.empty()) return data.Clone();
  return base::ReadRegularFile(file, kMaxPemBytes).Within(what);
}

Result<Kubeconfig> Kubeconfig::Parse(std::string_view text, const std::string& folder) {
  HSM_TRY(const json document, cluster::ParseYaml(text));
  Kubeconfig config;
  if (document.is_null()) return config;
  if (!document.is_object())
    return Error(ErrorCode::kCorrupt, "it is no mapping, as a kubeconfig is");
  Fields fields(document, "");
  std::string kind;
  fields.Take("kind", kind);
  if (!kind.empty() && kind != "Config")
    return Error(ErrorCode::kInvalid,
                 fmt::format("its kind is {}, not Config", base::Printable(kind)));
  fields.Take("current-context", config.current_context);
  HSM_RETURN_IF_ERROR(ParseList(fields, "clusters", "cluster", folder, config.clusters));
  HSM_RETURN_IF_ERROR(ParseList(fields, "users", "user", folder, config.users));
  HSM_RETURN_IF_ERROR(ParseList(fields, "contexts", "context", folder, config.contexts));
  HSM_RETURN_IF_ERROR(fields.Finish());
  return config;
}

Result<Kubeconfig> Kubeconfig::Load(const std::string& explicit_path,
                                    const Environment& environment) {
  if (!explicit_path.empty()) return LoadFile(explicit_path).Within("--kubeconfig");
  Kubeconfig merged;
  for (const std::string& path : PathsOf(environment)) {
    auto one = LoadFile(path);
    if (one.Is(ErrorCode::kNotFound)) continue;
    if (!one.ok()) return one.error().Within("kubeconfig");
    Merge(*std::move(one), merged);
  }
  return merged;
}

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace hsmops::kube
