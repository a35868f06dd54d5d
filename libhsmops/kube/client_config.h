// ClientConfig: one API server and who we are to it: what a Kubeconfig, the words of a command line
// and, last, the pod that this runs in come to.
#pragma once

#include "libhsmops/kube/kubeconfig.h"

namespace hsmops::kube {

// kubectl's own flags. Empty: not given.
struct Overrides {
  std::string kubeconfig;
  std::string context;
  std::string cluster;
  std::string user;
  std::string ns;
  std::string server;
  base::SecretBytes token;
  std::string as;
  std::string as_uid;
  std::vector<std::string> as_groups;
  std::string certificate_authority;
  std::string client_certificate;
  std::string client_key;
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;
};

// Where the service account of a pod has its files; a test has its own.
inline constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

struct ClientConfig {
  std::string server;   // "https://host:port/prefix", without a slash at the end
  std::string context;  // by name, for messages; empty: none
  std::string ns;       // never empty
  Cluster cluster;
  User user;
  // What is said of refusals is read by others than this user: it names whom it is about.
  bool for_others = false;

  // kNotFound: a context, cluster or user that is named is not there; or nothing says where a
  // cluster is (no kubeconfig, no --server, no pod). kInvalid: words that exclude each other, a
  // server that is no URL. Nobody is asked anything yet.
  static base::Result<ClientConfig> Resolve(Kubeconfig config, Overrides overrides,
                                            const Environment& environment,
                                            const std::string& service_account = kServiceAccount);
  // Load and Resolve.
  static base::Result<ClientConfig> Find(Overrides overrides, const Environment& environment);
};

}  // namespace hsmops::kube
