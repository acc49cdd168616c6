//! WebSockets that are opened by hand, and then say and read only what a test wants.

use std::net::SocketAddr;

use simulations::product::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{ADMIN, SOON, World};

/// How much such a client can be sent before it has to read, in bytes; the kernel makes more of it.
const RECEIVE_BYTES: u32 = 4 * 1024;
/// A frame's first byte: all of a text, the beginning of one, more of it. Source: RFC 6455, 5.2.
pub const TEXT: u8 = 0x81;
pub const TEXT_BEGINS: u8 = 0x01;
pub const TEXT_GOES_ON: u8 = 0x00;

/// Connects with next to no room for answers.
pub async fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BYTES).unwrap();
    socket.connect(to).await.unwrap()
}

/// Opens a WebSocket as an administrator, or as nobody yet.
pub async fn open(world: &World, says_who: bool) -> TcpStream {
    let mut stream = connect(world.plan.listen).await;
    let who = format!("authorization: Bearer {}\r\n", world.token(Role::Admin, ADMIN));
    let request = format!(
        "GET /ws/v1 HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: ringmaster.v1\r\n{}\r\n",
        world.plan.listen,
        if says_who { &who } else { "" },
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(SOON, stream.read_exact(&mut head)).await.expect("an upgrade").unwrap();
    assert_eq!(head, *b"HTTP/1.1 101");
    stream
}

/// Returns a frame as a client writes it.
pub fn frame(first: u8, text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let length = bytes.len();
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..=125) => frame.push(0x80 | u8::try_from(short).unwrap()),
        Ok(middle) => {
            frame.push(0x80 | 126);
            frame.extend(middle.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]); // A mask that changes nothing.
    frame.extend(bytes);
    frame
}

/// Returns what subscribes to a topic.
pub fn subscribes_to(topic: &str) -> Vec<u8> {
    frame(TEXT, &format!(r#"{{"t":"sub","id":1,"topic":"{topic}"}}"#))
}
