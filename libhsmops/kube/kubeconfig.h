// Kubeconfig: which API servers, users and contexts a person has, as kubectl reads them.
//
// One file (--kubeconfig), a list ($KUBECONFIG), or ~/.kube/config, merged by kubectl's rules
// (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"): the first file that names a
// cluster, user, context or the current context decides; a file of a list that is not there counts
// for nothing; paths are relative to the file that holds them. Fields that are not known are left
// alone. What a field means is for ClientConfig to say.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"

namespace hsmops::kube {

inline constexpr std::size_t kMaxKubeconfigBytes = std::size_t{4} << 20;

// Environment variables by name. A value for ours, so that a test has its own.
using Environment = std::map<std::string, std::string>;

// A certificate or key: its bytes (the -data field), or the file that holds them. Data goes first.
struct Material {
  std::string file;
  base::SecretBytes data;
  bool empty() const { return file.empty() && data.empty(); }
  // PEM. kNotFound, kAuthFailed and others of base::ReadRegularFile, within `what`.
  base::Result<base::SecretBytes> Read(const std::string& what) const;
};

enum class InteractiveMode : std::uint8_t { kIfAvailable, kNever, kAlways };

// A program that gives a credential (client-go credential plugins, v1 and v1beta1).
struct ExecConfig {
  std::string api_version;
  std::string command;  // a path, or a name to look for in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::string install_hint;
  bool provide_cluster_info = false;
  InteractiveMode interactive = InteractiveMode::kIfAvailable;
};

struct Cluster {
  std::string server;
  Material certificate_authority;
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;
  std::string proxy_url;
  std::string exec_extension;  // client.authentication.k8s.io/exec, as JSON; for a plugin
};

struct User {
  Material client_certificate;
  Material client_key;
  base::SecretBytes token;
  std::string token_file;
  std::string username;
  base::SecretBytes password;
  std::string as;
  std::string as_uid;
  std::vector<std::string> as_groups;
  std::map<std::string, std::vector<std::string>> as_user_extra;
  std::optional<ExecConfig> exec;
  std::string auth_provider;  // of the removed in-tree kind; refused when it is used
};

struct Context {
  std::string cluster;
  std::string user;
  std::string ns;
};

struct Kubeconfig {
  std::map<std::string, Cluster> clusters;
  std::map<std::string, User> users;
  std::map<std::string, Context> contexts;
  std::string current_context;

  bool empty() const {
    return clusters.empty() && users.empty() && contexts.empty() && current_context.empty();
  }

  // `explicit_path`: --kubeconfig, which has to be there; "" for none. kNotFound: it is not there;
  // kCorrupt: a file is no kubeconfig, with its name, line and column; kInvalid: a field has the
  // wrong type or cannot be decoded.
  static base::Result<Kubeconfig> Load(const std::string& explicit_path,
                                       const Environment& environment);
  // One file's text; relative paths in it are taken from `folder`.
  static base::Result<Kubeconfig> Parse(std::string_view text, const std::string& folder);
};

// The environment of this process.
Environment ProcessEnvironment();

}  // namespace hsmops::kube
