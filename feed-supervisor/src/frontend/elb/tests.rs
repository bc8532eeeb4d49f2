use super::*;

#[test]
fn every_state_of_an_instance_is_understood() {
    let settling = |why: &str| Standing::Settling(why.to_owned());
    let rows = [
        ("InService", "N/A", Standing::InService),
        ("InService", "Instance deregistration currently in progress.", Standing::Draining),
        ("OutOfService", "Instance is not currently registered with the LoadBalancer.", Standing::Absent),
        (
            "OutOfService",
            "Instance registration is still in progress.",
            settling("its state is OutOfService: Instance registration is still in progress"),
        ),
        (
            "OutOfService",
            "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
            settling(
                "its state is OutOfService: Instance has failed at least the UnhealthyThreshold number of health \
                 checks consecutively",
            ),
        ),
        ("Unknown", "N/A", settling("its state is Unknown")),
        ("Unknown", "", settling("its state is Unknown")),
    ];
    for (state, description, expected) in rows {
        let told = InstanceState::builder().state(state).description(description).build();
        assert_eq!(standing(&told, true), expected, "{state}, {description}");
        let before = if state == "Unknown" { Standing::Absent } else { expected };
        assert_eq!(standing(&told, false), before, "{state}, {description}");
    }
}
