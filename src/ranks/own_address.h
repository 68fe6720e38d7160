// The address of this host that ranks on others reach.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace vlsi {

/// The address, in numbers, of the interface by which this host reaches `host`, as its routes say; nothing is sent.
/// Error where it has no way there.
std::string address_towards(const std::string& host, uint16_t port);

bool is_loopback(const std::string& address);

/// The address by which this rank reaches the store, but where that is the loopback, as on a host whose own name means
/// 127.0.1.1: there that towards another rank which comes from elsewhere. `address_of(r)` is what rank r found.
std::string own_address(const std::string& found, int64_t num_ranks, uint16_t port,
                        const std::function<std::string(int64_t rank)>& address_of);

}  // namespace vlsi
