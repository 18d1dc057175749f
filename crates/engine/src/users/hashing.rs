pub(crate) struct Hashing;
