// ClusterNames: what has a name in the cluster that a command line names, for who completes it.
//
// Whoever completes a word is not told of errors and waits for nobody: what cannot be had is not
// there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/context.h"

namespace hsmops::cli {

class ClusterNames {
 public:
  using Names = std::set<std::string>;

  // The context must outlive it. `device`: as the verb's own argument names it; empty: it does not.
  ClusterNames(Context& context, std::string device);

  Names Devices();
  Names Nodes();  // of the device, else of all in the namespace
  Names Secrets();
  Names Operations();
  Names Namespaces();
  // Of the kubeconfig; nobody is asked.
  Names Contexts() const;
  Names Clusters() const;
  Names Users() const;

 private:
  template <typename T>
  std::vector<T> All();

  Context& context_;
  const std::string device_;
};

}  // namespace hsmops::cli
