#include "libhsmops/net/listening.h"

#include <fmt/format.h>

#include <boost/asio/ip/v6_only.hpp>
#include <charconv>

#include "libhsmops/base/printable.h"

namespace hsmops::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using base::ErrorCode;
using base::Result;

std::string TextOf(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return fmt::format(fmt::runtime(endpoint.address().is_v6() ? "[{}]:{}" : "{}:{}"), address,
                     endpoint.port());
}

Result<tcp::endpoint> ParseListen(const std::string& text) {
  const base::Error refused(ErrorCode::kInvalid,
                            fmt::format("\"{}\" is no address to listen on: say 0.0.0.0:8443, "
                                        "[::1]:8443 or :8443",
                                        base::Printable(text)));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return refused;
  std::string host = text.substr(0, colon);
  if (host.empty()) host = "[::]";
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error || address.is_v6() != bracketed) return refused;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, parsed] = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed != std::errc() || stop != end) return refused;
  return tcp::endpoint(address, port);
}

Result<void> ListenOn(tcp::acceptor& acceptor, const std::string& listen) {
  HSM_TRY(const tcp::endpoint endpoint, ParseListen(listen));
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.protocol() == tcp::v6())
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return {};
  return base::Error(ErrorCode::kUnavailable,
                     fmt::format("listening on {}: {}", listen, error.message()));
}

}  // namespace hsmops::net
