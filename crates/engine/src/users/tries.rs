pub(crate) struct Addresses;
