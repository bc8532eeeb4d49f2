use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::*;

fn ticket(rank: u8, subject: &str) -> Ticket {
    Ticket { rank, subject: subject.to_owned() }
}

/// The order in which requests have their turns that come at the same time.
async fn order(turns: &Turns, tickets: &[Ticket]) -> Vec<String> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for ticket in tickets.iter().cloned() {
        let (turns, order) = (turns.clone(), Arc::clone(&order));
        tasks.spawn(async move {
            turns.turn(&ticket, false).await;
            order.lock().await.push(ticket.subject);
        });
    }
    tasks.join_all().await;
    order.lock().await.clone()
}

#[tokio::test]
async fn the_important_go_first_and_the_oldest_now_and_then() {
    let turns = Turns::new(NonZeroU32::new(100).unwrap());
    // The first has its turn before the others are there.
    let tickets = [(2, "a"), (2, "b"), (2, "c"), (1, "d"), (0, "e"), (0, "f"), (0, "g"), (0, "h")];
    let order = order(&turns, &tickets.map(|(rank, subject)| ticket(rank, subject))).await;
    let place = |subject: &str| order.iter().position(|it| it == subject).unwrap();
    assert!(place("e") < place("d") && place("d") < place("c"), "{order:?}");
    assert!(place("b") <= 4, "the fifth turn is that of the oldest: {order:?}");
}

#[tokio::test]
async fn what_fails_goes_after_all_others() {
    let turns = Turns::new(NonZeroU32::new(100).unwrap());
    turns.ended("bad", false);
    let order = order(&turns, &[ticket(5, "first"), ticket(0, "bad"), ticket(5, "good")]).await;
    assert_eq!(order.last().map(String::as_str), Some("bad"));
    turns.ended("bad", true);
    assert!(turns.waiting().is_empty());
}

#[tokio::test]
async fn who_gives_up_takes_no_turn() {
    let turns = Turns::new(NonZeroU32::new(20).unwrap());
    turns.turn(&ticket(0, "first"), false).await;
    let waiting = tokio::spawn({
        let turns = turns.clone();
        async move { turns.turn(&ticket(0, "given up"), false).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(turns.waiting().into_iter().collect::<Vec<_>>(), ["given up"]);
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert!(turns.waiting().is_empty());
    turns.turn(&ticket(0, "second"), false).await;
}
