use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tempfile::TempDir;

use super::*;

fn question() -> Vec<u8> {
    let mut question = Message::new(7, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii("0a000001.ipv4.").unwrap(), RecordType::A));
    question.to_vec().unwrap()
}

fn assert_answers(answer: &[u8]) {
    let answer = Message::from_vec(answer).unwrap();
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 1));
}

#[tokio::test]
async fn it_answers_datagrams_and_connections() {
    let directory = TempDir::new().unwrap();
    let server = NameServer::bind(&directory.path().join("port")).await.unwrap();
    let address = server.address();
    let running = tokio::spawn(server.run(Endpoints::default()));

    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client.send_to(b"garbage", address).await.unwrap();
    client.send_to(&question(), address).await.unwrap();
    let mut answer = [0; 512];
    let length = timeout(PATIENCE, client.recv(&mut answer)).await.unwrap().unwrap();
    assert_answers(&answer[..length]);

    let mut connection = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let question = question();
        connection.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
        connection.write_all(&question).await.unwrap();
        let mut answer = vec![0; connection.read_u16().await.unwrap().into()];
        connection.read_exact(&mut answer).await.unwrap();
        assert_answers(&answer);
    }
    running.abort();
}

#[tokio::test]
async fn its_port_is_remembered_and_given_up_when_it_is_taken() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("port");
    let first = NameServer::bind(&file).await.unwrap();
    let address = first.address();
    let second = NameServer::bind(&file).await.unwrap();
    assert_ne!(second.address(), address, "the first one still has it");
    drop((first, second));
    let remembered = fs::read_to_string(&file).unwrap();
    let third = NameServer::bind(&file).await.unwrap();
    assert_eq!(remembered.trim(), third.address().port().to_string());
    fs::write(&file, "nonsense").unwrap();
    assert!(NameServer::bind(&file).await.is_ok());
    let nowhere = directory.path().join("missing/port");
    assert!(matches!(NameServer::bind(&nowhere).await, Err(NameServerError::Remember { .. })));
}
