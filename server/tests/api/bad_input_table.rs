//! Requests that are wrong, and what the contract says to each.

/// What is sent.
pub(crate) enum Sent {
    Json(&'static str),
    /// File name and content of A; B is a good 2 × 2.
    File(&'static str, &'static [u8]),
    /// An NPY file as A.
    Npy {
        header: &'static str,
        entries: &'static [u8],
    },
    Typed {
        content_type: &'static str,
        body: &'static str,
    },
}

/// What is wrong, what comes back, and what the detail must say.
pub(crate) struct BadInput {
    pub(crate) sent: Sent,
    pub(crate) status: u16,
    pub(crate) says: &'static [&'static str],
}

const fn json(body: &'static str, status: u16, says: &'static [&'static str]) -> BadInput {
    BadInput {
        sent: Sent::Json(body),
        status,
        says,
    }
}

const fn file(
    name: &'static str,
    content: &'static [u8],
    status: u16,
    says: &'static [&'static str],
) -> BadInput {
    BadInput {
        sent: Sent::File(name, content),
        status,
        says,
    }
}

const fn npy(
    header: &'static str,
    entries: &'static [u8],
    status: u16,
    says: &'static [&'static str],
) -> BadInput {
    BadInput {
        sent: Sent::Npy { header, entries },
        status,
        says,
    }
}

pub(crate) const TABLE: &[BadInput] = &[
    // Readable, and no product.
    json(
        r#"{"a":{"rows":2,"cols":3,"data":[1,2,3,4,5,6]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["2 × 3", "2 × 1"],
    ),
    json(
        r#"{"a":{"rows":0,"cols":2,"data":[]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "rows"],
    ),
    json(
        r#"{"a":{"rows":2,"cols":2,"data":[1,2,3]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "3 entries", "4"],
    ),
    json(
        r#"{"a":{"rows":2,"cols":1,"data":[1,2]},"b":{"rows":1,"cols":2,"data":[1,2,3]}}"#,
        422,
        &["matrix B", "3 entries"],
    ),
    json(
        r#"{"a":{"rows":2,"cols":2,"data":[[1,2],[3]]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "row 2"],
    ),
    json(
        r#"{"a":{"rows":2,"cols":2,"data":[[1,2,3,4]]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "1 rows of 4"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,1e999]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "entry 2", "1e999"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,"x"]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "entry 2"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,null]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "entry 2"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "neither data nor random"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,2],"random":{"seed":1}},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["data and random"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"random":{"seed":-1}},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["seed"],
    ),
    json(
        r#"{"a":{"rows":-1,"cols":2,"data":[]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["rows", "-1"],
    ),
    json(
        r#"{"a":{"cols":2,"data":[1,2]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        422,
        &["matrix A", "rows"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,2]}}"#,
        422,
        &["matrix B", "missing"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":1,"data":[1]},"b":{"rows":1,"cols":1,"data":[1]},"options":{"spread":"some"}}"#,
        422,
        &["some", "fastest"],
    ),
    json(
        r#"{"a":{"rows":1,"cols":1,"data":[1]},"b":{"rows":1,"cols":1,"data":[1]},"options":{"colour":"red"}}"#,
        422,
        &["colour"],
    ),
    json("[]", 422, &[]),
    file("a.csv", b"1,2\n3\n", 422, &["matrix A", "row 2"]),
    file("a.csv", b"1,2\n3,NaN\n", 422, &["row 2, column 2"]),
    file("a.csv", b"1,2\n3,1e999\n", 422, &["row 2, column 2"]),
    file("a.csv", b"1,2\n3,four\n", 422, &["row 2, column 2", "four"]),
    file("a.csv", b"", 422, &["matrix A"]),
    file("a.csv", b"1,2,3\n", 422, &["1 × 3", "2 × 2"]),
    // 2⁵³ + 1.
    npy(
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }",
        b"\x01\0\0\0\0\0\x20\0",
        422,
        &["matrix A", "9007199254740993"],
    ),
    npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }",
        b"\0\0\0\0\0\0\xf8\x7f",
        422,
        &["matrix A"],
    ),
    npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }",
        b"",
        422,
        &["matrix A"],
    ),
    file(
        "a.mtx",
        b"%%MatrixMarket matrix coordinate real general\n2 2 1\n3 1 1\n",
        422,
        &["line 3"],
    ),
    // Malformed.
    json(
        r#"{"a":{"rows":1,"cols":2,"data":[1,NaN]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        400,
        &["line 1 column"],
    ),
    json("{\"a\":\n{\"rows\":1,}}", 400, &["line 2"]),
    json("", 400, &["JSON"]),
    file("a.npy", b"PK\x03\x04", 400, &["byte 0"]),
    npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }",
        b"\0\0",
        400,
        &["matrix A"],
    ),
    npy(
        "{'descr': '<c16', 'fortran_order': False, 'shape': (1, 2), }",
        b"",
        422,
        &["matrix A"],
    ),
    npy("{'descr': '<f8', ", b"", 400, &["matrix A"]),
    file("a.mtx", b"hello\n", 400, &["line 1"]),
    file("a.csv", b"1,2\n3,\xff\xfe\n", 400, &["matrix A"]),
    BadInput {
        sent: Sent::Typed {
            content_type: "multipart/form-data; boundary=x",
            body: "--y\r\nnothing",
        },
        status: 400,
        says: &["multipart"],
    },
    BadInput {
        sent: Sent::Typed {
            content_type: "multipart/form-data",
            body: "",
        },
        status: 400,
        says: &["boundary"],
    },
    // Too large.
    json(
        r#"{"a":{"rows":20001,"cols":2,"data":[]},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        413,
        &["20000"],
    ),
    json(
        r#"{"a":{"rows":2,"cols":99999999999,"random":{"seed":1}},"b":{"rows":2,"cols":1,"data":[1,2]}}"#,
        413,
        &["20000"],
    ),
    npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (20001, 2), }",
        b"",
        413,
        &["20000"],
    ),
    file(
        "a.mtx",
        b"%%MatrixMarket matrix array real general\n20001 2\n",
        413,
        &["20000"],
    ),
    // The wrong kind.
    BadInput {
        sent: Sent::Typed {
            content_type: "text/plain",
            body: "1 2",
        },
        status: 415,
        says: &["application/json"],
    },
    BadInput {
        sent: Sent::Typed {
            content_type: "",
            body: "{}",
        },
        status: 415,
        says: &["application/json"],
    },
    file(
        "a.xlsx",
        b"1,2\n3,4\n",
        415,
        &[".npy, .csv or .mtx", "a.xlsx"],
    ),
];
