"""What a connection may do: its age, its pings, its calls and the size of their messages, in gRPC's own terms."""

from ipaddress import ip_address

from service.settings import Settings

Option = tuple[str, int]
HANDSHAKE_MS = 20_000  # who connects and says nothing takes a place among `max_connections` for so long


def server_options(settings: Settings) -> tuple[Option, ...]:
    """Return the settings of connections as options of a gRPC server."""
    return (
        ("grpc.so_reuseport", 0),  # with the default a second server would silently share the port
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_age_ms", _milliseconds(settings.max_connection_age)),
        ("grpc.max_connection_age_grace_ms", _milliseconds(settings.max_connection_age_grace)),
        ("grpc.keepalive_time_ms", _milliseconds(settings.keepalive_time)),
        ("grpc.keepalive_timeout_ms", _milliseconds(settings.keepalive_timeout)),
        # grpcio 1.85 closes by this one alone, and has it at a minute.
        ("grpc.http2.ping_timeout_ms", _milliseconds(settings.keepalive_timeout)),
        # Both ways: a dead peer is found while no call runs, and clients that ping then are not thrown out.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(settings.min_client_ping_interval)),
    )


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches HOST:PORT."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
