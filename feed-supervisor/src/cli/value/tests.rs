use super::{nginx_path, resolver, workdir};

#[test]
fn resolvers() {
    for (text, valid) in [
        ("10.96.0.10", true),
        ("10.96.0.10:5353", true),
        ("fd00::a", true),
        ("[fd00::a]", true),
        ("[fd00::a]:53", true),
        ("kube-dns.kube-system.svc.cluster.local", true),
        ("kube-dns.kube-system:53", true),
        ("", false),
        ("10.96.0.10:", false),
        ("10.96.0.10:0", false),
        ("[10.96.0.10]:53", false),
        ("[kube-dns]:53", false),
        ("*.example.com", false),
        ("a b", false),
        (":53", false),
    ] {
        assert_eq!(resolver(text).is_ok(), valid, "{text:?}");
    }
}

#[test]
fn paths_for_nginx() {
    assert_eq!(nginx_path("/var//run/./feed/").unwrap().to_str(), Some("/var/run/feed"));
    let relative = nginx_path("work/dir").unwrap();
    assert!(relative.is_absolute() && relative.ends_with("work/dir"), "{relative:?}");
    for text in ["", "/a b", "/a;b", "/a/../b", "/a\n", "/ä", "/a$b"] {
        assert!(nginx_path(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_workdir_leaves_room_for_a_socket() {
    assert!(workdir(&format!("/{}", "d".repeat(94))).is_ok());
    assert!(workdir(&format!("/{}", "d".repeat(95))).is_err());
}
