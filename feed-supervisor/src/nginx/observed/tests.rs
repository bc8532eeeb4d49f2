use super::*;
use crate::nginx::fixture::Place;

#[test]
fn the_directory_of_the_access_log_is_made() {
    let place = Place::new();
    for (flags, mode) in [("", 0o755), ("--nginx-pid-file=/p/nginx.pid", 0o1777)] {
        let config = place.config(&format!("--access-log {flags}")).nginx;
        prepare_access_log(&config).unwrap();
        let logs = place.workdir.join("logs");
        assert_eq!(fs::metadata(&logs).unwrap().permissions().mode() & 0o1777, mode, "{flags}");
        fs::remove_dir(logs).unwrap();
    }
    prepare_access_log(&place.config("").nginx).unwrap();
    assert!(!place.workdir.join("logs").exists());
}

#[test]
fn a_directory_that_cannot_be_written_to_is_told() {
    let place = Place::new();
    let config =
        |flags: &str| place.config(&format!("--access-log --access-log-dir=/proc/logs {flags}")).nginx;
    let error = prepare_access_log(&config("")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write to the directory of nginx's access log /proc/logs: "), "{error}");
    // It is another container's.
    prepare_access_log(&config("--nginx-pid-file=/p/nginx.pid")).unwrap();
}

#[test]
fn the_first_missing_file_of_a_tracer_is_told_with_its_flag() {
    let place = Place::new();
    let modules = place.workdir.join("modules");
    fs::create_dir_all(&modules).unwrap();
    let flags = |place: &Place| {
        let workdir = place.workdir.display();
        format!(
            "--nginx-modules-path={workdir}/modules --nginx-opentracing-plugin-path={workdir}/tracer.so \
             --nginx-opentracing-config-path={workdir}/tracer.json"
        )
    };
    for (file, flag) in [
        ("modules/ngx_http_opentracing_module.so", "nginx-modules-path"),
        ("tracer.so", "nginx-opentracing-plugin-path"),
        ("tracer.json", "nginx-opentracing-config-path"),
    ] {
        let path = place.workdir.join(file);
        let error = check_tracer(&place.config(&flags(&place)).nginx).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot read {}: No such file or directory (os error 2) (--{flag})", path.display())
        );
        check_tracer(&place.config(&format!("{} --nginx-pid-file=/p/nginx.pid", flags(&place))).nginx)
            .unwrap();
        File::create(path).unwrap();
    }
    check_tracer(&place.config(&flags(&place)).nginx).unwrap();
    let error =
        check_tracer(&place.config("--nginx-otel-endpoint=localhost:4317 --nginx-modules-path=/m").nginx);
    assert!(error.unwrap_err().to_string().starts_with("cannot read /m/ngx_otel_module.so: "));
    check_tracer(&place.config("").nginx).unwrap();
}
