// An address to listen on and its text, for the two servers; only they include Boost.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "libhsmops/base/result.h"

namespace hsmops::net {

// "127.0.0.1:8443", "[::1]:8443".
std::string TextOf(const boost::asio::ip::tcp::endpoint& endpoint);

// As ServerConfig::listen has it. kInvalid: it is none.
base::Result<boost::asio::ip::tcp::endpoint> ParseListen(const std::string& text);

// Opens, binds and listens. kUnavailable, with the reason.
base::Result<void> ListenOn(boost::asio::ip::tcp::acceptor& acceptor, const std::string& listen);

}  // namespace hsmops::net
