//! `latido doctor`: each planted fault is found, a good pair passes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use latido::simulate::Pair;

#[test]
fn a_node_knows_whether_the_files_differ_and_how_far_the_clocks_are_apart() {
    let mut pair = Pair::new("alpha ra\nbeta rb", 1, |_| {}).unwrap();
    pair.start(0);
    pair.start(1);
    pair.run_for(Duration::from_secs(30));
    let peer = |pair: &Pair, node: usize| {
        let view = pair.cluster(node).unwrap().view(pair.now());
        let peer = view.nodes.into_iter().find(|node| !node.is_me).unwrap();
        (peer.resources_differ, peer.clock_ahead)
    };
    assert_eq!([peer(&pair, 0), peer(&pair, 1)], [(Some(false), Some(0)); 2]);

    pair.reconfigure(1, "alpha ra\nbeta rb", "another");
    pair.run_for(Duration::from_secs(30));
    assert_eq!([peer(&pair, 0).0, peer(&pair, 1).0], [Some(true); 2]);
}
